import { expect, test } from "bun:test";
import { shownTime } from "./network-fields.ts";

test.each([
	["2026-11-21T16:30:46.756000000Z", "2026-11-21 16:30:46.756 +0000 UTC"],
	["2026-11-21T16:30:40.000000000Z", "2026-11-21 16:30:40 +0000 UTC"],
	["2026-11-21T16:30:40Z", "2026-11-21 16:30:40 +0000 UTC"],
])("shownTime() of %s", (created, wanted) => {
	expect(shownTime(created)).toBe(wanted);
});
