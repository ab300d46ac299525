import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../../..");
const PAGE = readFileSync(join(ROOT, "docs/dockerfile.md"), "utf8");
const EXAMPLES = [...PAGE.matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```\n/g)];

test("the page has examples", () => {
	expect(EXAMPLES.length).toBe(PAGE.match(/```ts\n/g)?.length ?? 0);
	expect(EXAMPLES.length).toBeGreaterThan(5);
});

test.each(EXAMPLES.map(([, code = "", output = ""], index) => [index + 1, code, output] as const))(
	"example %d of docs/dockerfile.md prints what it says",
	async (_, code, output) => {
		const child = Bun.spawn([process.execPath, "-e", code], { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
		const [printed, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
		expect({ printed, errors }).toEqual({ printed: output, errors: "" });
	},
);
