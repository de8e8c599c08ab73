import { z } from "zod";

export const Item = z.object({
  name: z.string().min(1),
  count: z.int().positive().max(100),
});

export const Order = z.object({
  customer: z.string().trim().min(1, "who is it for?").max(100),
  items: z.array(Item).min(1, "an order has one item at least"),
  email: z.email().optional(),
});

export type Order = z.infer<typeof Order>;
