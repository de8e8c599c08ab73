import { Suspense, use } from "react";

export function Page({ name, forecast }: { name: string; forecast: Promise<string[]> }) {
  return (
    <html lang="en">
      <head>
        <title>{`Hello, ${name}`}</title>
      </head>
      <body>
        <h1>Hello, {name}!</h1>
        <Suspense fallback={<p>Looking at the sky</p>}>
          <Forecast days={forecast} />
        </Suspense>
      </body>
    </html>
  );
}

function Forecast({ days }: { days: Promise<string[]> }) {
  return (
    <ul>
      {use(days).map(day => <li key={day}>{day}</li>)}
    </ul>
  );
}
