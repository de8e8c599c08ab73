// Parses a text of 100 KB, changes all of it, and makes a text of it again.

const text = JSON.stringify(Array.from({ length: 780 }, (_, i) => ({
  id: i, name: `customer ${i}`, tags: ["new", "é"], address: { street: `${i} High Street`, zip: 10000 + i }, total: i / 4, open: i % 3 === 0,
})));

export default {
  fetch() {
    const all = JSON.parse(text);
    for (const customer of all) {
      customer.total = Math.round(customer.total * 119) / 100;
      customer.tags.push(customer.open ? "open" : "paid");
      delete customer.address.zip;
    }
    return new Response(`${text.length} ${JSON.stringify(all).length}`);
  },
};
