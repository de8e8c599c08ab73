import type { Order } from "./order";

// total is what an order costs, in cents' precision.
export function total(order: Order, prices: Record<string, number>): number {
  const cents = order.items.reduce((sum, item) => sum + Math.round(price(prices, item.name) * 100) * item.count, 0);
  return cents / 100;
}

function price(prices: Record<string, number>, name: string): number {
  if (!Object.hasOwn(prices, name)) throw new RangeError(`there is no ${name} here`);
  return prices[name];
}
