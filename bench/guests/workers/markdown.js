// Renders a text of 5 KB by the npm package marked.
import { marked } from "marked";

const section = i => `## Section ${i}

Some *emphasised* and **strong** words, \`code\`, and [a link](https://example.com/${i} "title").

- one
- two with [another](#section-${i})
  1. within

| a | b |
|---|--:|
| ${i} | \`x\` |

\`\`\`js
const x = ${i} < 2 && "text";
\`\`\`

> quoted, on
> two lines
`;
const text = Array.from({ length: 18 }, (_, i) => section(i)).join("\n");

export default {
  fetch() {
    return new Response(`${text.length} ${marked.parse(text).length}`);
  },
};
