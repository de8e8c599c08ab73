/* eslint-disable */
// Written by 'mayfly types' from the manifest: do not edit it, write it anew.
declare namespace Cloudflare {
  interface Env {
    CURRENCY: string;
    ORDERS: KVNamespace;
    PRICES: { "cake": number; "milk": number; "tea": number };
  }
}
interface Env extends Cloudflare.Env {}
