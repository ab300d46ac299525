import { expect, test } from "bun:test";
import { sha256 } from "../../base/digest.ts";
import { chainIds } from "./chain-id.ts";

test("chainIds() hashes each layer together with what is below it", () => {
	const [a, b, c] = [sha256("a"), sha256("b"), sha256("c")];
	const ab = sha256(`${a} ${b}`);
	expect(chainIds([a, b, c])).toEqual([a, ab, sha256(`${ab} ${c}`)]);
	expect(chainIds([])).toEqual([]);
});
