import { expect, test } from "bun:test";
import type { ImageConfig } from "../../api/oci/image.ts";
import { sha256 } from "../../base/digest.ts";
import { chainIds } from "../image/chain-id.ts";
import { INLINE_CACHE_FIELD, inlineCacheOf, withInlineCache } from "./inline-cache.ts";

const diffIds = [sha256("one"), sha256("two")];
const chains = chainIds(diffIds);
const document: ImageConfig = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: diffIds } };
const step = (name: string, layer: number | undefined) => ({
	keys: [sha256(name)],
	description: name,
	result: { chainId: layer === undefined ? undefined : chains[layer], isEmpty: false, createdAt: 7 },
});

test("an image gives back the steps that were put into it, less those whose layers it has not", () => {
	const steps = [step("none", undefined), step("first", 0), step("second", 1)];
	const stray = { ...step("stray", 0), result: { chainId: sha256("elsewhere"), isEmpty: false, createdAt: 7 } };
	const written = JSON.parse(JSON.stringify(withInlineCache(document, [...steps, stray])));
	expect(inlineCacheOf(written)).toEqual(steps);
});

test.each([
	["nothing", undefined],
	["a text", "cache"],
	[
		"entries that are none",
		[null, 1, {}, { keys: [] }, { keys: ["x"], description: "", layers: 1, isEmpty: true, createdAt: 1 }],
	],
	["layers it has not", [{ keys: [sha256("x")], description: "", layers: 3, isEmpty: true, createdAt: 1 }]],
])("%s is no cache", (_name, value) => {
	expect(inlineCacheOf({ ...document, [INLINE_CACHE_FIELD]: value } as ImageConfig)).toEqual([]);
});
