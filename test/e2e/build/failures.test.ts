/** What a build says that cannot be: which line of the Dockerfile, and why. */
import { expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";

const suite = new BuildSuite();

const cases: readonly (readonly [what: string, dockerfile: readonly string[], says: readonly string[]])[] = [
	[
		"a base image that cannot be had",
		["FROM busybox AS a", "FROM 127.0.0.1:1/base:1"],
		["Dockerfile:2\n", "   2 | >>> FROM 127.0.0.1:1/base:1", "connection refused"],
	],
	[
		"an image of COPY --from that cannot be had",
		["FROM busybox", "RUN true", "COPY --from=127.0.0.1:1/tools:1 \\", "  /a /b"],
		["Dockerfile:3\n", "   3 | >>> COPY --from=127.0.0.1:1/tools:1", "   4 | >>>   /a /b", "connection refused"],
	],
	["a name that is none", ["FROM Busybox"], ["   1 | >>> FROM Busybox", "must be lowercase"]],
	[
		"a platform that there is not",
		["FROM --platform=nope busybox"],
		['Dockerfile:1:1: failed to parse platform nope: "nope": unknown operating system or architecture'],
	],
	["a mount without a place", ["FROM busybox", "RUN --mount=type=cache true"], [':2:1: invalid mount target "/"']],
	["stages in a circle", ["FROM busybox AS a", "COPY --from=b /x /", "FROM a AS b"], ["Dockerfile:2:1: stage b comes"]],
];

test("names that mean something else in a layer, unless they are left out", async () => {
	suite.context.write({ "d/.wh.gone": "", "d/kept": "" });
	expect(await suite.failure(["FROM busybox", "COPY d /d"])).toContain(
		"cannot copy d/.wh.gone: in a layer such a name",
	);
	expect(await suite.failure(["FROM busybox", "COPY d/.wh.gone /d/"])).toContain("cannot copy d/.wh.gone");
	await suite.mustBuild(["FROM busybox", "COPY --exclude=.wh.* d /d", "RUN [ $(ls -A /d) = kept ]"]);
});

for (const [what, dockerfile, says] of cases)
	test(what, async () => {
		const told = await suite.failure(dockerfile);
		for (const text of says) expect(told).toContain(text);
	});
