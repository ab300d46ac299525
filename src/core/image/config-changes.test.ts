import { describe, expect, test } from "bun:test";
import type { ContainerConfig } from "../../api/engine/container.ts";
import { applyChanges } from "./config-changes.ts";

const SECOND = 1_000_000_000;

describe("applyChanges()", () => {
	const cases: readonly [string, ContainerConfig, readonly string[], ContainerConfig][] = [
		["CMD as a list", {}, ['CMD ["sh", "-c", "x"]'], { Cmd: ["sh", "-c", "x"] }],
		["CMD as a command line", {}, ["cmd echo $HOME"], { Cmd: ["/bin/sh", "-c", "echo $HOME"] }],
		["CMD without anything", { Cmd: ["a"] }, ["CMD"], { Cmd: null }],
		["CMD in the image's shell", { Shell: ["bash"] }, ["CMD a"], { Shell: ["bash"], Cmd: ["bash", "a"] }],
		["ENTRYPOINT takes the command away", { Cmd: ["a"] }, ['ENTRYPOINT ["b"]'], { Cmd: null, Entrypoint: ["b"] }],
		["ENTRYPOINT after CMD", {}, ["CMD a", 'ENTRYPOINT ["b"]'], { Cmd: ["/bin/sh", "-c", "a"], Entrypoint: ["b"] }],
		["ENV pairs", { Env: ["A=0"] }, ['ENV A=1 B="x y" C=z\\ w'], { Env: ["A=1", "B=x y", "C=z w"] }],
		["ENV in the old form", {}, ["ENV A one  two"], { Env: ["A=one  two"] }],
		[
			"ENV with variables",
			{ Env: ["A=1"] },
			["ENV B=$A-${A}-${X:-d}-${A:+p} C='$A'"],
			{ Env: ["A=1", "B=1-1-d-p", "C=$A"] },
		],
		[
			"EXPOSE",
			{},
			["EXPOSE 80 53/udp 8000-8001"],
			{ ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {} } },
		],
		["LABEL", { Labels: { a: "1" } }, ['LABEL b="2 3" c='], { Labels: { a: "1", b: "2 3", c: "" } }],
		["ONBUILD", {}, ["ONBUILD RUN make"], { OnBuild: ["RUN make"] }],
		["STOPSIGNAL", {}, ["STOPSIGNAL SIGINT"], { StopSignal: "SIGINT" }],
		["USER", {}, ["USER me:us"], { User: "me:us" }],
		["VOLUME as words", {}, ["VOLUME /a /b"], { Volumes: { "/a": {}, "/b": {} } }],
		["VOLUME as a list", {}, ['VOLUME ["/a b"]'], { Volumes: { "/a b": {} } }],
		["WORKDIR", { WorkingDir: "/a" }, ["WORKDIR b/../c"], { WorkingDir: "/a/c" }],
		[
			"HEALTHCHECK",
			{},
			["HEALTHCHECK --interval=5s --retries=3 CMD curl x"],
			{ Healthcheck: { Test: ["CMD-SHELL", "curl x"], Interval: 5 * SECOND, Retries: 3 } },
		],
		["HEALTHCHECK NONE", {}, ["HEALTHCHECK NONE"], { Healthcheck: { Test: ["NONE"] } }],
		["several lines in one change", {}, ["USER a\n# note\nENV A=1 \\\n B=2"], { User: "a", Env: ["A=1", "B=2"] }],
	];
	for (const [name, before, changes, after] of cases)
		test(name, () => {
			expect(applyChanges(before, changes)).toEqual(after);
		});

	for (const [change, message] of [
		["RUN x", "RUN is not a valid change command"],
		["FROM x", "FROM is not a valid change command"],
		["ENV", "ENV requires at least one argument"],
		['SHELL ["sh"]', "SHELL is not a valid change command"],
		["USR me", "USR is not a valid change command"],
		["STOPSIGNAL SIGX", "invalid signal: SIGX"],
		["ENV A", "ENV must have two arguments"],
		["ENV A=1 B", "can't find = in"],
		["LABEL =x", "LABEL names can not be blank"],
		["EXPOSE 0", "invalid containerPort: 0"],
		["EXPOSE x", "invalid containerPort: x"],
		["USER", "USER requires exactly one argument"],
		['ENV A="x', "a double quote has no partner"],
		["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
		["HEALTHCHECK TCP x", 'Unknown type "TCP" in HEALTHCHECK'],
		["HEALTHCHECK --interval=0.1ms CMD x", "cannot be less than 1ms"],
	] as const)
		test(`refuses ${change}`, () => {
			expect(() => applyChanges({}, [change])).toThrow(message);
		});
});
