import { expect, test } from "bun:test";
import { GlobalArguments } from "../../dockerfile/build-arguments.ts";
import { parseDockerfile } from "../../dockerfile/parse-dockerfile.ts";
import type { BaseImage } from "./build-plan.ts";
import { neededStages } from "./needed-stages.ts";
import { planBuild } from "./plan-build.ts";

const LINUX = { os: "linux", architecture: "amd64" };

/** What the steps of the last stage are in the history. */
function historyOf(lines: readonly string[], buildArgs: Readonly<Record<string, string>> = {}): string[] {
	const dockerfile = parseDockerfile(["FROM scratch", ...lines].join("\n"));
	const options = { buildArgs: new Map(Object.entries(buildArgs)), buildPlatform: LINUX, targetPlatform: LINUX };
	const globals = GlobalArguments.of(dockerfile, options);
	const input = { dockerfile, globals, target: "", targetPlatform: LINUX, namedContexts: new Map() };
	const lookup = (): BaseImage | undefined => undefined;
	const plan = planBuild(input, 0, neededStages(input, 0, lookup), lookup);
	return (plan.stages.get(0)?.steps ?? []).map(({ createdBy }) => createdBy);
}

const cases: readonly (readonly [line: string, expected: string])[] = [
	['env A=1 B="two words"', "ENV A=1 B=two words"],
	["LABEL a=$HOME b='$x'", "LABEL a= b=$x"],
	["WORKDIR srv/", "WORKDIR /srv"],
	["WORKDIR /a/../srv/", "WORKDIR /a/../srv/"],
	["USER me:us", "USER me:us"],
	["EXPOSE 90-91/UDP 80", "EXPOSE [80/tcp 90/udp 91/udp]"],
	['VOLUME ["/a b", "/c"]', "VOLUME [/a b /c]"],
	['CMD ["a", "b\\"c"]', 'CMD ["a" "b\\"c"]'],
	["CMD a b", 'CMD ["/bin/sh" "-c" "a b"]'],
	["ENTRYPOINT []", "ENTRYPOINT []"],
	['SHELL ["/bin/bash", "-c"]', "SHELL [/bin/bash -c]"],
	["STOPSIGNAL 9", "STOPSIGNAL 9"],
	["MAINTAINER me", "MAINTAINER me"],
	[
		"HEALTHCHECK --interval=1m30s --start-period=500ms CMD x y",
		String.raw`HEALTHCHECK &{["CMD-SHELL" "x y"] "1m30s" "0s" "500ms" "0s" '\x00'}`,
	],
	["HEALTHCHECK --retries=4 CMD x", String.raw`HEALTHCHECK &{["CMD-SHELL" "x"] "0s" "0s" "0s" "0s" '\x04'}`],
	["HEALTHCHECK --retries=10 CMD x", String.raw`HEALTHCHECK &{["CMD-SHELL" "x"] "0s" "0s" "0s" "0s" '\n'}`],
	["HEALTHCHECK --retries=65 NONE", String.raw`HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" '\x00'}`],
	["RUN make all", "RUN /bin/sh -c make all # buildkit"],
	['RUN ["make", "all"]', "RUN make all # buildkit"],
	["COPY --link --chown=1:2 --chmod=644 a b /c/", "COPY --chown=1:2 --chmod=644 a b /c/ # buildkit"],
	["COPY --parents a /c/", "COPY --parents a /c/ # buildkit"],
	["ADD <<EOF x /d\ntext\nEOF", "ADD x <<EOF /d # buildkit"],
	["ONBUILD  run x", ""],
];
test.each(cases)("%s", (line, expected) => {
	expect(historyOf([line])).toEqual([expected]);
});

test("arguments with their values, and what a command saw of them", () => {
	const lines = ["ARG A=1 B=$A C D", "ENV A=env", "RUN x", 'SHELL ["sh"]', "CMD y"];
	expect(historyOf(lines, { C: "given" })).toEqual([
		"ARG A=1 B=1 C=given D",
		"ENV A=env",
		"RUN |4 A=env B=1 C=given D= /bin/sh -c x # buildkit",
		"SHELL [sh]",
		'CMD ["sh" "y"]',
	]);
});
