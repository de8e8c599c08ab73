import type { Order } from "./order";

export type Priced = Order & { total: number; currency: string };

// store keeps an order for 30 days.
export async function store(orders: KVNamespace, order: Priced): Promise<string> {
  const id = crypto.randomUUID();
  await orders.put(id, JSON.stringify(order), { expirationTtl: 30 * 24 * 3600, metadata: { customer: order.customer } });
  return id;
}

export async function find(orders: KVNamespace, id: string): Promise<Priced | null> {
  return orders.get<Priced>(id, "json");
}
