// Renders a page with a table of 200 rows from a template, with escaped values.

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = value => String(value).replace(/[&<>"']/g, c => escapes[c]);
const html = (texts, ...values) => texts.reduce((all, text, i) => {
  const value = values[i - 1];
  return all + (Array.isArray(value) ? value.join("") : escape(value)) + text;
});

const rows = Array.from({ length: 200 }, (_, i) => ({ id: i, name: `Tom & <Jerry> ${i}`, price: i * 1.25 }));
const row = ({ id, name, price }) => html`<tr id="row-${id}"><td>${name}</td><td class="price">${price.toFixed(2)}</td><td><a href="/item/${id}?q=${"a&b"}">more</a></td></tr>`;

export default {
  fetch() {
    const page = html`<!doctype html><title>${"Prices <today>"}</title><table>${rows.map(row)}</table>`;
    return new Response(`${page.length}`);
  },
};
