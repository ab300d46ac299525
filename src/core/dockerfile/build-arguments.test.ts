import { expect, test } from "bun:test";
import {
	type BuildArgumentOptions,
	expandFrom,
	GlobalArguments,
	platformArguments,
	proxyEnvironment,
	StageVariables,
} from "./build-arguments.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { expandInstruction, expandMounts, expandPorts } from "./expand-instruction.ts";
import { parseDockerfile } from "./parse-dockerfile.ts";
import type { Dockerfile, StageInstruction } from "./syntax.ts";

const LINUX = { os: "linux", architecture: "amd64" };

function options(buildArgs: Readonly<Record<string, string>> = {}): BuildArgumentOptions {
	return {
		buildArgs: new Map(Object.entries(buildArgs)),
		buildPlatform: LINUX,
		targetPlatform: { os: "linux", architecture: "arm", variant: "v7" },
	};
}

/** The value that `echo` would see in the last stage: ENV and ARG gone through in order. */
function variablesOf(text: string, buildArgs: Readonly<Record<string, string>> = {}, base: readonly string[] = []) {
	const dockerfile = parseDockerfile(text);
	const globals = GlobalArguments.of(dockerfile, options(buildArgs));
	let variables = new StageVariables(base);
	for (const stage of dockerfile.stages) {
		const parent =
			stage.index > 0 && stage.from.base === dockerfile.stages[stage.index - 1]?.name ? variables : undefined;
		variables = new StageVariables(parent === undefined ? base : [], parent);
		for (const instruction of stage.instructions) apply(dockerfile, globals, variables, instruction);
	}
	return { dockerfile, globals, variables };
}

function apply(
	dockerfile: Dockerfile,
	globals: GlobalArguments,
	variables: StageVariables,
	instruction: StageInstruction,
): void {
	if (instruction.kind === "arg") variables.declare(instruction, globals, dockerfile);
	if (instruction.kind !== "env") return;
	const { pairs } = expandInstruction(instruction, variables, dockerfile).instruction;
	for (const { key, value } of pairs) variables.setEnvironment(key, value);
}

const scopes: readonly (readonly [
	what: string,
	text: string,
	buildArgs: Readonly<Record<string, string>>,
	expected: string | undefined,
])[] = [
	["a global ARG is not in a stage", "ARG V=1\nFROM scratch", {}, undefined],
	["until the stage declares it", "ARG V=1\nFROM scratch\nARG V", {}, "1"],
	["with a default of its own, that one counts", "ARG V=1\nFROM scratch\nARG V=2", {}, "2"],
	["--build-arg beats both", "ARG V=1\nFROM scratch\nARG V=2", { V: "3" }, "3"],
	["--build-arg without ARG does nothing", "FROM scratch", { V: "3" }, undefined],
	["ARG without any value is not set", "FROM scratch\nARG V", {}, undefined],
	["an empty --build-arg is a value", "FROM scratch\nARG V=2", { V: "" }, ""],
	["ENV after ARG beats it", "FROM scratch\nARG V=1\nENV V=2", { V: "3" }, "2"],
	["ENV takes the value of ARG", "FROM scratch\nARG A=1\nENV V=v$A", {}, "v1"],
	["ENV of one instruction does not see itself", "FROM scratch\nENV A=old\nENV A=new V=$A", {}, "old"],
	["ARG of one instruction sees what stands before", "FROM scratch\nARG A=1 V=$A", {}, "1"],
	["a default sees the environment of the base", "FROM base\nARG V=$FROM_BASE", {}, "from base"],
	["a stage keeps the ARGs of the stage it is FROM", "FROM x AS a\nARG V=1\nFROM a", {}, "1"],
	["and not those of others", "FROM x AS a\nARG V=1\nFROM x", {}, undefined],
	["the environment of the stage it is FROM too", "FROM x AS a\nENV V=1\nFROM a", {}, "1"],
	["platform ARGs have to be declared", "FROM x\nENV V=$TARGETARCH", {}, ""],
	["and need no default", "FROM x\nARG TARGETPLATFORM\nENV V=$TARGETPLATFORM", {}, "linux/arm/v7"],
	["single quotes keep variables out", "FROM x\nENV A=1\nENV V='$A'", {}, "$A"],
	["quotes are gone from values", 'FROM x\nENV V="a b"', {}, "a b"],
	["a global ARG sees those before", "ARG A=1\nARG V=$A$B\nARG B=2\nFROM x\nARG V", {}, "1"],
	["the old form of ENV", "FROM x\nENV V a  $FROM_BASE ", {}, "a  from base"],
	[
		"the builder's own ARGs are no variables",
		"FROM x\nARG BUILDKIT_SBOM_SCAN_STAGE=1\nENV V=$BUILDKIT_SBOM_SCAN_STAGE",
		{},
		"",
	],
];

test.each(scopes)("%s", (_, text, buildArgs, expected) => {
	expect(variablesOf(text, buildArgs, ["FROM_BASE=from base"]).variables.get("V")).toBe(expected as string);
});

test("FROM sees global and platform ARGs, and nothing of stages", () => {
	const text = "ARG V=3\nARG I=alpine:$V\nFROM --platform=$BUILDPLATFORM $I AS a\nARG W=1\nFROM $I$W";
	const { dockerfile, globals } = variablesOf(text);
	const [first, second] = dockerfile.stages.map(({ from }) => expandFrom(from, globals, dockerfile));
	expect(first).toEqual({
		base: "alpine:3",
		platform: "linux/amd64",
		matched: new Set(["I", "BUILDPLATFORM"]),
		unmatched: new Set(),
	});
	expect(second?.unmatched).toEqual(new Set(["W"]));
});

test("platform ARGs can be overridden", () => {
	const values = platformArguments({ ...options({ TARGETARCH: "mine" }), targetStage: "web" });
	expect([...values]).toEqual([
		["BUILDPLATFORM", "linux/amd64"],
		["BUILDOS", "linux"],
		["BUILDOSVERSION", ""],
		["BUILDARCH", "amd64"],
		["BUILDVARIANT", ""],
		["TARGETPLATFORM", "linux/arm/v7"],
		["TARGETOS", "linux"],
		["TARGETOSVERSION", ""],
		["TARGETARCH", "mine"],
		["TARGETVARIANT", "v7"],
		["TARGETSTAGE", "web"],
	]);
});

test("proxies are for RUN, undeclared, in both spellings", () => {
	const buildArgs = new Map([
		["HTTP_PROXY", "http://p"],
		["no_proxy", "localhost"],
		["OTHER", "x"],
	]);
	expect(proxyEnvironment(buildArgs)).toEqual([
		"HTTP_PROXY=http://p",
		"http_proxy=http://p",
		"NO_PROXY=localhost",
		"no_proxy=localhost",
	]);
});

test("an ARG tells where its value came from", () => {
	const { variables } = variablesOf("ARG A=1\nARG B=$A\nFROM x\nARG A B C=$A D");
	expect(variables.args.map(({ name, value, inherited }) => [name, value, inherited])).toEqual([
		["A", "1", true],
		["B", "1", true],
		["C", "1", false],
		["D", undefined, false],
	]);
	const { globals } = variablesOf("ARG A=1\nARG B=$A\nARG B=$B-$C\nFROM x");
	expect(globals.declared.get("B")?.dependencies).toEqual(new Set(["A"]));
});

const expansions: readonly (readonly [instruction: string, expected: Readonly<Record<string, unknown>>])[] = [
	[
		"COPY --chown=$U --chmod=$M --exclude=$U $U /$U/",
		{ chown: "me", chmod: "700", exclude: ["$U"], sources: ["me"], destination: "/me/" },
	],
	["ADD --checksum=sha256:$U $U /x", { checksum: "sha256:me", sources: ["me"] }],
	["LABEL $U=$M", { pairs: [{ key: "me", value: "700" }] }],
	["USER $U:$M", { user: "me:700" }],
	["WORKDIR /$U\\ x", { path: "/me x" }],
	['VOLUME ["/$U"]', { paths: ["/me"] }],
	["STOPSIGNAL $U", { signal: "me" }],
	["RUN echo $U", { command: { form: "shell", line: "echo $U" } }],
	['CMD ["$U"]', { command: { form: "exec", arguments: ["$U"] } }],
	["ONBUILD RUN $U", { expression: "RUN $U" }],
	[
		'COPY <<A <<"B" <<-C /x/\nit\'s $U \\$U\nA\n$U\nB\n\t$U\nC',
		{
			heredocs: [
				{ name: "A", fileDescriptor: 0, expand: true, stripTabs: false, content: "it's me $U\n" },
				{ name: "B", fileDescriptor: 0, expand: false, stripTabs: false, content: "$U\n" },
				{ name: "C", fileDescriptor: 0, expand: true, stripTabs: false, content: "me\n" },
			],
		},
	],
];

test.each(expansions)("%s", (text, expected) => {
	const dockerfile = parseDockerfile(`FROM x\n${text}\n`);
	const [instruction] = dockerfile.stages[0]?.instructions ?? [];
	if (instruction === undefined) throw new Error("no instruction");
	const variables = new StageVariables(["U=me", "M=700"]);
	expect(expandInstruction(instruction, variables, dockerfile).instruction).toMatchObject(expected);
});

test("an environment that no process could have is refused", () => {
	const lines = Array.from({ length: 100 }, (_, index) => `ENV V${index}=$BIG`).join("\n");
	const big = ["BIG=".padEnd(1_000_000, "x")];
	expect(() => variablesOf(`FROM x\n${lines}`, {}, big)).toThrow("the environment is too large");
	expect(() => variablesOf(`FROM x\nARG A=$BIG$BIG`, {}, big)).toThrow("Dockerfile:2:1: a word grows too long");
	const again = Array.from({ length: 100 }, () => "ENV V=$BIG").join("\n");
	expect(variablesOf(`FROM x\n${again}`, {}, big).variables.get("V")).toHaveLength(999_996);
});

test("mounts and ports", () => {
	const dockerfile = parseDockerfile(
		'FROM x\nEXPOSE 90 $PORTS\nRUN --mount=type=cache,target=/c/$U,sharing=$S,\\"id=a,b\\",ro=false x\nRUN --mount=type=$T x',
	);
	const [expose, run, bad] = dockerfile.stages[0]?.instructions ?? [];
	const variables = new StageVariables(["PORTS=80 443/tcp", "U=me", "S=Locked", "T=nfs"]);
	if (expose?.kind !== "expose" || run?.kind !== "run" || bad?.kind !== "run") throw new Error("not as parsed");
	expect(expandPorts(expose, variables, dockerfile).ports).toEqual(["80", "443/tcp", "90"]);
	expect(expandMounts(run, variables, dockerfile).mounts).toMatchObject([
		{ type: "cache", target: "/c/me", sharing: "locked", id: "a,b", readOnly: false },
	]);
	expect(() => expandMounts(bad, variables, dockerfile)).toThrow('Dockerfile:4:1: unsupported mount type "nfs"');
});

test("what cannot be expanded names its place", () => {
	const dockerfile = parseDockerfile("FROM x\nUSER a\nUSER ${NOBODY:?name somebody}", { file: "web.Dockerfile" });
	const instruction = dockerfile.stages[0]?.instructions[1];
	if (instruction === undefined) throw new Error("no instruction");
	let caught: unknown;
	try {
		expandInstruction(instruction, new StageVariables([]), dockerfile);
	} catch (error) {
		caught = error;
	}
	expect(caught).toBeInstanceOf(DockerfileError);
	expect((caught as DockerfileError).message).toBe(
		"web.Dockerfile:3:1: NOBODY: name somebody\n  2 | USER a\n> 3 | USER ${NOBODY:?name somebody}\n    | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
	);
});
