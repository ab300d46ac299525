import { expect, test } from "bun:test";
import { findBrokenLinks } from "./links.ts";

test("findBrokenLinks() names links without a file and leaves addresses, anchors and code alone", () => {
	const text = [
		"[a](a.md) [b](docs/b.md#part) [c](https://example.com/c) [d](#d)",
		"`[e](e.md)` [f](f.md)",
		"```",
		"[g](g.md)",
		"```",
	].join("\n");
	expect(findBrokenLinks(text, (target) => target === "a.md")).toEqual(["1: docs/b.md", "2: f.md"]);
});
