/** HTML made of parts that are escaped unless they were made here. */
export class Html {
	constructor(readonly text: string) {}
}

type Part = string | number | Html | readonly Html[];

export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
	return new Html(
		strings.map((text, index) => text + (index < parts.length ? render(parts[index] ?? "") : "")).join(""),
	);
}

function render(part: Part): string {
	if (part instanceof Html) return part.text;
	if (typeof part === "object") return part.map(({ text }) => text).join("");
	return escapeText(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
	"&": "&amp;",
	"<": "&lt;",
	">": "&gt;",
	'"': "&quot;",
	"'": "&#39;",
};

function escapeText(text: string): string {
	return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

export function sizeText(sizeBytes: number): string {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let value = sizeBytes;
	let unit = 0;
	while (value >= 999.5 && unit < units.length - 1) {
		value /= 1000;
		unit++;
	}
	return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #667180; --line: #dfe4ea; --paper: #f6f8fa; --card: #fff; --accent: #0b66c3; --bar: #9cc4ee }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --dim: #97a2b0; --line: #313943; --paper: #14181d; --card: #1c2128; --accent: #6cb2ff; --bar: #2f5d8c } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: .9rem 0 }
header > div, main { max-width: 62rem; margin: 0 auto; padding: 0 1.2rem }
header > div { display: flex; gap: 1rem; align-items: center; justify-content: space-between; flex-wrap: wrap }
.brand { font-weight: 650; font-size: 1.05rem; color: var(--ink) }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
h1 { font-size: 1.35rem; margin: 1.6rem 0 .2rem; overflow-wrap: anywhere } h2 { font-size: 1rem; margin: 1.6rem 0 .5rem }
.dim { color: var(--dim) } .right { text-align: right; white-space: nowrap }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: auto; margin: .8rem 0 }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 550; color: var(--dim); font-size: .85rem }
th, td { padding: .55rem .9rem; border-bottom: 1px solid var(--line); vertical-align: top } tr:last-child :is(td, th) { border-bottom: 0 }
code { font: .86em ui-monospace, monospace; overflow-wrap: anywhere } pre { margin: 0; padding: .8rem .9rem; white-space: pre-wrap }
input { font: inherit; padding: .35rem .7rem; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); color: inherit; width: 16rem; max-width: 100% }
meter { width: 6rem; height: .6rem } .empty { padding: 2rem; text-align: center; color: var(--dim) }
`;

/** A whole page. Nothing in it runs, and nothing is loaded from elsewhere. */
export function page(title: string, query: string, content: Html): Response {
	const body = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><header><div><a class="brand" href="/ui/">Gantry registry</a>
<form action="/ui/" role="search"><input type="search" name="q" value="${query}" placeholder="Find a repository" aria-label="Find a repository"></form>
</div></header><main>${content}</main></body></html>`;
	return new Response(body.text, {
		headers: {
			"Content-Type": "text/html; charset=utf-8",
			"Content-Security-Policy":
				"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store",
		},
	});
}
