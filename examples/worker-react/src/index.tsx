import { renderToReadableStream } from "react-dom/server";
import { Page } from "./page";

export default {
  async fetch(request: Request): Promise<Response> {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    const stream = await renderToReadableStream(<Page name={name} forecast={forecast()} />, {
      onError: error => console.error(error),
    });
    return new Response(stream, { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};

// forecast stands for something slow.
async function forecast(): Promise<string[]> {
  await new Promise(resolve => setTimeout(resolve, 20));
  return ["Sun", "Rain", "Snow"];
}
