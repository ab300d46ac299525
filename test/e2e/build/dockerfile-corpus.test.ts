/**
 * Small Dockerfiles and the image configuration that BuildKit makes of them, as its reference says. Commands that are checked run in the
 * build itself: `RUN [ … ]` fails it when a value is another.
 */
import { describe, expect, test } from "bun:test";
import type { ContainerConfig } from "../../../src/api/engine/container.ts";
import { BuildSuite } from "../../support/build-suite.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SECOND_NS = 1_000_000_000;

const suite = new BuildSuite();

interface Case {
	readonly name: string;
	/** Lines, or the whole text. */
	readonly dockerfile: readonly string[] | string;
	readonly files?: Readonly<Record<string, string>>;
	readonly args?: readonly string[];
	/** Fields of `.Config`; null means that it is not set. */
	readonly config?: Readonly<Record<string, unknown>>;
	/** Values of `.Config.Env`, without PATH. */
	readonly env?: readonly string[];
}

function corpus(cases: readonly Case[]): void {
	for (const { name, dockerfile, files = {}, args = [], config = {}, env } of cases)
		test(name, async () => {
			const image = await built(dockerfile, { files, args });
			const actual = image.Config as Record<string, unknown>;
			for (const [field, expected] of Object.entries(config))
				expect({ [field]: isUnset(actual[field]) ? null : actual[field] }).toEqual({ [field]: expected });
			if (env !== undefined)
				expect((image.Config.Env ?? []).filter((line) => !line.startsWith("PATH="))).toEqual([...env]);
		});
}

function isUnset(value: unknown): boolean {
	return value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

async function built(
	dockerfile: readonly string[] | string,
	{ files, args }: { readonly files: Readonly<Record<string, string>>; readonly args: readonly string[] },
): Promise<{ readonly Config: ContainerConfig; readonly Author: string }> {
	suite.context.write({ ...files, Dockerfile: dockerfile });
	const id = await suite.daemon.mustGantry(["build", "-q", ...args, suite.context.directory]);
	return JSON.parse(await suite.daemon.mustGantry(["image", "inspect", "-f", "{{json .}}", id]));
}

describe("ENV and LABEL", () => {
	corpus([
		{
			name: "an image from scratch has a PATH",
			dockerfile: ["FROM scratch", "LABEL a=b"],
			config: { Env: [DEFAULT_PATH], Labels: { a: "b" }, WorkingDir: "/" },
		},
		{
			name: "several pairs, quotes, escapes",
			dockerfile: ["FROM scratch", 'ENV A=1 B="two words" C=\'single $A\' D=with\\ space E= F=""'],
			env: ["A=1", "B=two words", "C=single $A", "D=with space", "E=", "F="],
		},
		{
			name: "the old form keeps the rest of the line",
			dockerfile: ["FROM scratch", "ENV A one  two = three  "],
			env: ["A=one  two = three"],
		},
		{
			name: "a variable that is set again keeps its place",
			dockerfile: ["FROM scratch", "ENV A=1", "ENV B=2", "ENV A=3"],
			env: ["A=3", "B=2"],
		},
		{
			name: "an instruction does not see what it sets",
			dockerfile: ["FROM scratch", "ENV A=old", "ENV A=new B=$A"],
			env: ["A=new", "B=old"],
		},
		{
			name: "PATH is extended",
			dockerfile: ["FROM scratch", "ENV PATH=/opt/bin:$PATH"],
			config: { Env: [DEFAULT_PATH.replace("=", "=/opt/bin:")] },
		},
		{
			name: "defaults and alternatives",
			dockerfile: ["FROM scratch", "ENV E= S=set", "ENV A=${U:-a} B=${E:-b} C=${E-c} D=${S:+d} F=${U+f} G=${S:-${U}}"],
			env: ["E=", "S=set", "A=a", "B=b", "C=", "D=d", "F=", "G=set"],
		},
		{
			name: "patterns",
			dockerfile: [
				"FROM scratch",
				"ENV F=archive.tar.gz",
				"ENV A=${F%.*} B=${F%%.*} C=${F#*.} D=${F##*.} E=${F/tar/cpio} G=${F//a/A}",
			],
			env: [
				"F=archive.tar.gz",
				"A=archive.tar",
				"B=archive",
				"C=tar.gz",
				"D=gz",
				"E=archive.cpio.gz",
				"G=Archive.tAr.gz",
			],
		},
		{
			name: "an escaped dollar",
			dockerfile: ["FROM scratch", "ENV A=1", 'ENV B=\\$A C="\\$A" D=\\${A}'],
			env: ["A=1", "B=$A", "C=$A", "D=${A}"],
		},
		{
			name: "names of variables",
			dockerfile: ["FROM scratch", "ENV N=NAME", "ENV $N=value"],
			env: ["N=NAME", "NAME=value"],
		},
		{
			name: "lines that go on, with comments",
			dockerfile: ["FROM scratch", "ENV A=1 \\", "    # not this", "    B=2 \\", "", '    C="3 \\', '4"'],
			env: ["A=1", "B=2", "C=3 4"],
		},
		{
			name: "another escape character",
			dockerfile: ["# escape=`", "FROM scratch", "ENV A=C:\\dir `", "    B=`$A"],
			env: ["A=C:\\dir", "B=$A"],
		},
		{
			name: "labels: quotes, lines, variables",
			dockerfile: [
				"FROM scratch",
				"ENV V=1",
				'LABEL "com.example.a"="x y" b=$V \\',
				"    c='$V'",
				"LABEL old style here",
			],
			config: { Labels: { "com.example.a": "x y", b: "1", c: "$V", old: "style here" } },
		},
		{
			name: "labels of a base and of --label",
			dockerfile: ["FROM scratch AS base", "LABEL a=1 b=1 c=1", "FROM base", "LABEL b=2"],
			args: ["--label", "c=3", "--label", "d=3"],
			config: { Labels: { a: "1", b: "2", c: "3", d: "3" } },
		},
	]);
});

describe("CMD, ENTRYPOINT and SHELL", () => {
	corpus([
		{
			name: "exec form",
			dockerfile: ["FROM scratch", 'ENTRYPOINT ["/bin/x", "a b"]', 'CMD ["c", "$D"]'],
			config: { Entrypoint: ["/bin/x", "a b"], Cmd: ["c", "$D"] },
		},
		{
			name: "shell form",
			dockerfile: ["FROM scratch", "CMD echo  $HOME"],
			config: { Cmd: ["/bin/sh", "-c", "echo  $HOME"], Entrypoint: null },
		},
		{
			name: "shell form of ENTRYPOINT",
			dockerfile: ["FROM scratch", "ENTRYPOINT exec top -b"],
			config: { Entrypoint: ["/bin/sh", "-c", "exec top -b"], Cmd: null },
		},
		{
			name: "what is nearly JSON is for the shell",
			dockerfile: ["FROM scratch", "CMD ['a', 'b']"],
			config: { Cmd: ["/bin/sh", "-c", "['a', 'b']"] },
		},
		{
			name: "the last one counts",
			dockerfile: ["FROM scratch", 'CMD ["a"]', 'CMD ["b"]', 'ENTRYPOINT ["c"]', 'ENTRYPOINT ["d"]'],
			config: { Cmd: ["b"], Entrypoint: ["d"] },
		},
		{
			name: "ENTRYPOINT takes the CMD of the base away",
			dockerfile: ["FROM scratch AS base", 'CMD ["old"]', "FROM base", 'ENTRYPOINT ["new"]'],
			config: { Cmd: null, Entrypoint: ["new"] },
		},
		{
			name: "and leaves the CMD of its own stage",
			dockerfile: ["FROM scratch AS base", 'CMD ["old"]', "FROM base", 'CMD ["own"]', 'ENTRYPOINT ["new"]'],
			config: { Cmd: ["own"], Entrypoint: ["new"] },
		},
		{
			name: "CMD leaves the ENTRYPOINT of the base",
			dockerfile: ["FROM scratch AS base", 'ENTRYPOINT ["e"]', "FROM base", 'CMD ["c"]'],
			config: { Cmd: ["c"], Entrypoint: ["e"] },
		},
		{
			name: "empty lists take away",
			dockerfile: ["FROM scratch AS base", 'ENTRYPOINT ["e"]', 'CMD ["c"]', "FROM base", "ENTRYPOINT []", "CMD []"],
			config: { Cmd: null, Entrypoint: null },
		},
		{
			name: "SHELL is for what follows, and inherited",
			dockerfile: [
				"FROM scratch AS base",
				"CMD one",
				'SHELL ["/bin/bash", "-eo", "pipefail", "-c"]',
				"FROM base",
				"ENTRYPOINT two",
			],
			config: {
				Shell: ["/bin/bash", "-eo", "pipefail", "-c"],
				Entrypoint: ["/bin/bash", "-eo", "pipefail", "-c", "two"],
				Cmd: null,
			},
		},
		{
			name: "SHELL runs RUN",
			dockerfile: [
				"FROM busybox",
				'SHELL ["/bin/sh", "-ec", "echo shell > /shell; eval \\"$0\\""]',
				"RUN [ $(cat /shell) = shell ]",
			],
			config: {},
		},
	]);
});

describe("WORKDIR, USER, EXPOSE, VOLUME, STOPSIGNAL", () => {
	corpus([
		{
			name: "relative directories follow each other",
			dockerfile: ["FROM busybox", "WORKDIR /a", "WORKDIR b", "WORKDIR ../c/./d/", "RUN [ $PWD = /a/c/d ]"],
			config: { WorkingDir: "/a/c/d" },
		},
		{
			name: "directories with variables and spaces",
			dockerfile: ["FROM busybox", "ENV D=/data", "WORKDIR $D/my files", 'RUN [ "$PWD" = "/data/my files" ]'],
			config: { WorkingDir: "/data/my files" },
		},
		{
			name: "users",
			dockerfile: ["FROM busybox", "ARG GROUP=20", "USER 10:$GROUP", "RUN [ $(id -u):$(id -g) = 10:20 ]"],
			config: { User: "10:20" },
		},
		{
			name: "ports",
			dockerfile: ["FROM scratch", 'ENV MORE="90 91/udp"', "EXPOSE 80 443/TCP 5000-5002/udp $MORE 9/sctp"],
			config: {
				ExposedPorts: {
					"80/tcp": {},
					"443/tcp": {},
					"5000/udp": {},
					"5001/udp": {},
					"5002/udp": {},
					"90/tcp": {},
					"91/udp": {},
					"9/sctp": {},
				},
			},
		},
		{
			name: "ports with those of the host",
			dockerfile: ["FROM scratch", "EXPOSE 8080:80 127.0.0.1:81:82/udp"],
			config: { ExposedPorts: { "80/tcp": {}, "82/udp": {} } },
		},
		{
			name: "volumes in both forms",
			dockerfile: ["FROM scratch", "ENV V=/var", "VOLUME /a $V/b", 'VOLUME ["/c d"]'],
			config: { Volumes: { "/a": {}, "/var/b": {}, "/c d": {} } },
		},
		{
			name: "ports and volumes of a base",
			dockerfile: ["FROM scratch AS base", "EXPOSE 1", "VOLUME /v", "FROM base", "EXPOSE 2"],
			config: { ExposedPorts: { "1/tcp": {}, "2/tcp": {} }, Volumes: { "/v": {} } },
		},
		{
			name: "a signal",
			dockerfile: ["FROM scratch", "ARG S=QUIT", "STOPSIGNAL SIG$S"],
			config: { StopSignal: "SIGQUIT" },
		},
	]);

	test("MAINTAINER is the author", async () => {
		const image = await built(["FROM scratch", "MAINTAINER A Name <a@example.com>"], { files: {}, args: [] });
		expect(image.Author).toBe("A Name <a@example.com>");
	});
});

describe("HEALTHCHECK", () => {
	corpus([
		{
			name: "every option",
			dockerfile: [
				"FROM scratch",
				"HEALTHCHECK --interval=1m30s --timeout=2s --start-period=500ms --start-interval=1s --retries=4 CMD wget -q $URL",
			],
			config: {
				Healthcheck: {
					Test: ["CMD-SHELL", "wget -q $URL"],
					Interval: 90 * SECOND_NS,
					Timeout: 2 * SECOND_NS,
					StartPeriod: SECOND_NS / 2,
					StartInterval: SECOND_NS,
					Retries: 4,
				},
			},
		},
		{
			name: "exec form",
			dockerfile: ["FROM scratch", 'HEALTHCHECK CMD ["/check", "a b"]'],
			config: { Healthcheck: { Test: ["CMD", "/check", "a b"] } },
		},
		{
			name: "NONE takes the base's away",
			dockerfile: ["FROM scratch AS base", "HEALTHCHECK CMD x", "FROM base", "HEALTHCHECK NONE"],
			config: { Healthcheck: { Test: ["NONE"] } },
		},
		{
			name: "the last one counts, whole",
			dockerfile: ["FROM scratch", "HEALTHCHECK --retries=4 CMD x", "HEALTHCHECK CMD y"],
			config: { Healthcheck: { Test: ["CMD-SHELL", "y"] } },
		},
	]);
});

describe("ONBUILD", () => {
	corpus([
		{
			name: "is kept as it is written",
			dockerfile: ["FROM scratch", "ONBUILD COPY . /src", "ONBUILD   run  make", "ONBUILD COPY <<E /x", "$V", "E"],
			config: { OnBuild: ["COPY . /src", "run  make", "COPY <<E /x\n$V\nE"] },
		},
		{
			name: "fires in a stage that is FROM it, in order, before all else",
			dockerfile: [
				"FROM busybox AS base",
				"ONBUILD ENV A=trigger",
				"ONBUILD RUN echo $A > /a",
				"FROM base",
				"RUN [ $(cat /a) = trigger ]",
				"ENV A=own",
			],
			env: ["A=own"],
			config: { OnBuild: null },
		},
		{
			name: "does not fire in the stage after that",
			dockerfile: ["FROM scratch AS base", "ENV N=", "ONBUILD ENV N=x$N", "FROM base AS child", "FROM child"],
			env: ["N=x"],
		},
		{
			name: "copies from stages",
			dockerfile: [
				"FROM busybox AS base",
				"ONBUILD COPY --from=source /file /copied",
				"FROM scratch AS source",
				"COPY <<E /file",
				"content",
				"E",
				"FROM base",
				"RUN [ $(cat /copied) = content ]",
			],
		},
	]);

	test("fires in an image that is FROM one with triggers", async () => {
		await built(["FROM busybox", "ONBUILD ARG WHO=nobody", "ONBUILD LABEL who=$WHO"], {
			files: {},
			args: ["-t", "triggers"],
		});
		const image = await built(["FROM triggers"], { files: {}, args: ["--build-arg", "WHO=me"] });
		expect(image.Config).toMatchObject({ Labels: { who: "me" } });
		expect(isUnset(image.Config.OnBuild)).toBe(true);
	});
});

describe("ARG", () => {
	corpus([
		{ name: "is in RUN, and not in the image", dockerfile: ["FROM busybox", "ARG A=1", "RUN [ $A = 1 ]"], env: [] },
		{
			name: "--build-arg beats the default",
			dockerfile: ["FROM scratch", "ARG A=1 B=$A", "ENV R=$A$B"],
			args: ["--build-arg", "A=2"],
			env: ["R=22"],
		},
		{
			name: "an empty --build-arg is one",
			dockerfile: ["FROM scratch", "ARG A=1", "ENV R=x${A-unset}"],
			args: ["--build-arg", "A="],
			env: ["R=x"],
		},
		{
			name: "without a default it is not set",
			dockerfile: ["FROM scratch", "ARG A", "ENV R=${A-unset}"],
			env: ["R=unset"],
		},
		{
			name: "counts from where it stands",
			dockerfile: ["FROM scratch", "ENV R=${A:-before}", "ARG A=1", "ENV S=$A"],
			env: ["R=before", "S=1"],
		},
		{
			name: "ENV after it beats --build-arg",
			dockerfile: ["FROM busybox", "ARG A=1", "ENV A=env", "RUN [ $A = env ]"],
			args: ["--build-arg", "A=arg"],
			env: ["A=env"],
		},
		{
			name: "of the global scope has to be declared again",
			dockerfile: ["ARG A=global", "FROM scratch", "ENV R=${A:-none}", "ARG A", "ENV S=$A"],
			env: ["R=none", "S=global"],
		},
		{
			name: "may have another default there",
			dockerfile: ["ARG A=global", "FROM scratch", "ARG A=own", "ENV R=$A"],
			env: ["R=own"],
		},
		{ name: "names the base", dockerfile: ["ARG NAME=busy", "ARG IMAGE=${NAME}box:latest", "FROM $IMAGE", "RUN true"] },
		{
			name: "is each stage's own",
			dockerfile: ["FROM busybox AS a", "ARG A=1", "FROM busybox", 'RUN [ -z "$A" ]', "ARG A", 'RUN [ -z "$A" ]'],
		},
		{
			name: "is kept by a stage that is FROM the stage",
			dockerfile: ["FROM busybox AS a", "ARG A=1", "ENV E=$A", "FROM a", "RUN [ $A$E = 11 ]", "LABEL a=$A"],
			config: { Labels: { a: "1" } },
			env: ["E=1"],
		},
		{
			name: "ENV of the base beats its ARG in the stage after",
			dockerfile: ["FROM scratch AS a", "ENV A=env", "ARG A=arg", "FROM a", "LABEL a=$A"],
			config: { Labels: { a: "env" } },
		},
		{
			name: "in the scope of --target",
			dockerfile: ["FROM scratch AS a", "ARG A=1", "LABEL stage=$A", "FROM scratch", "LABEL stage=last"],
			args: ["--target", "A"],
			config: { Labels: { stage: "1" } },
		},
		{
			name: "of platforms has to be declared",
			dockerfile: [
				"FROM busybox",
				'RUN [ -z "$TARGETOS" ]',
				"ARG TARGETOS TARGETPLATFORM BUILDPLATFORM",
				"RUN [ $TARGETOS = linux ] && [ $TARGETPLATFORM = $BUILDPLATFORM ]",
			],
		},
		{
			name: "of proxies has not",
			dockerfile: [
				"FROM busybox",
				"RUN [ $http_proxy = http://127.0.0.1:9 ] && [ $HTTP_PROXY = $http_proxy ]",
				"LABEL p=$HTTP_PROXY",
			],
			args: ["--build-arg", "HTTP_PROXY=http://127.0.0.1:9"],
			env: [],
			config: { Labels: { p: "" } },
		},
		{
			name: "may be the platform of FROM, in quotes",
			dockerfile: ["ARG P=linux", 'FROM --platform="$P" busybox', "RUN true"],
		},
	]);
});

describe("heredocs and lines", () => {
	corpus([
		{
			name: "a script for the shell",
			dockerfile: [
				"FROM busybox",
				"ENV V=1",
				"RUN <<EOF",
				"set -e",
				"# a comment of the script",
				"echo $V \\",
				"  two > /out",
				"EOF",
				"RUN [ \"$(cat /out)\" = '1 two' ]",
			],
		},
		{
			name: "a script with its own interpreter",
			dockerfile: [
				"FROM busybox",
				"RUN <<EOF",
				"#!/bin/awk -f",
				'BEGIN { print 40 + 2 > "/out" }',
				"EOF",
				"RUN [ $(cat /out) = 42 ]",
			],
		},
		{
			name: "input of a command, quoted and with tabs",
			dockerfile: [
				"FROM busybox",
				"ENV V=1",
				"RUN cat <<ONE > /one && cat <<-'TWO' > /two",
				"v=$V",
				"ONE",
				"\tv=$V",
				"\tTWO",
				"RUN [ $(cat /one) = v=1 ] && [ $(cat /two) = 'v=$V' ]",
			],
		},
		{
			name: "files",
			dockerfile: [
				"FROM busybox",
				"ARG V=1",
				'COPY --chmod=750 <<a <<"b" <<-c /d/',
				'v=$V \\$V "q"',
				"a",
				"v=$V",
				"b",
				"\ttabs",
				"c",
				"RUN [ \"$(cat /d/a)\" = 'v=1 $V \"q\"' ] && [ $(cat /d/b) = 'v=$V' ] && [ $(cat /d/c) = tabs ] && [ $(stat -c %a /d/a) = 750 ]",
			],
		},
		{
			name: "a script whose delimiter has a space",
			dockerfile: ["FROM busybox", 'RUN <<"the end"', "echo $((1 + 1)) > /out", "the end", "RUN [ $(cat /out) = 2 ]"],
		},
		{
			name: "input on several descriptors, and behind a pipe",
			dockerfile: [
				"FROM busybox",
				"RUN sh <<SCRIPT 3<<ONE 4<<'TWO' && cat <<THREE | tr a-z A-Z > /three",
				"cat <&3 > /one; cat <&4 > /two",
				"SCRIPT",
				"first",
				"ONE",
				"$second",
				"TWO",
				"third",
				"THREE",
				"RUN [ $(cat /one) = first ] && [ $(cat /two) = '$second' ] && [ $(cat /three) = THIRD ]",
			],
		},
		{
			name: "a script for another shell, with tabs and a program of its own",
			dockerfile: [
				"FROM busybox",
				"RUN <<-END",
				"\t#!/bin/sh -eu",
				"\techo $0 > /name",
				"END",
				'SHELL ["/bin/awk"]',
				"RUN <<END",
				'BEGIN { print "awk" > "/awk" }',
				"END",
				'RUN ["sh", "-c", "[ $(cat /awk) = awk ] && [ $(cat /name) = /dev/pipes/END ]"]',
			],
		},
		{
			name: "backslashes in files escape what follows, unless the delimiter is quoted",
			dockerfile: [
				"FROM busybox",
				"COPY <<plain <<'quoted' /d/",
				"1\\",
				"\\\\2 \\$3 '$V'",
				"plain",
				"1\\",
				"\\\\2 \\$3",
				"quoted",
				'RUN [ "$(cat /d/plain)" = "$(printf \'1\\n\\\\2 $3 \\047\\047\')" ]',
				'RUN [ "$(cat /d/quoted)" = "$(printf \'1\\\\\\n\\\\\\\\2 \\\\$3\')" ]',
			],
		},
		{
			name: "one file by another name",
			dockerfile: ["FROM busybox", "ADD <<EOF /etc/motd", "hello", "EOF", "RUN [ $(cat /etc/motd) = hello ]"],
		},
		{
			name: "DOS line ends",
			dockerfile: "FROM busybox\r\nENV A=1 \\\r\n  B=2\r\nRUN [ $A$B = 12 ]\r\n",
			env: ["A=1", "B=2"],
		},
		{
			name: "a byte order mark, small letters, indentation",
			dockerfile: "\ufefffrom busybox as base\n  env A=1\n\trun [ $A = 1 ]\nfrom BASE\n".replace("BASE", "base"),
			env: ["A=1"],
		},
		{
			name: "comments between lines of a command",
			dockerfile: [
				"FROM busybox",
				"RUN echo one \\",
				"# nothing",
				"  # nothing either",
				"  two > /out",
				"RUN [ \"$(cat /out)\" = 'one two' ]",
			],
		},
	]);
});

describe("stages", () => {
	const source = ["FROM scratch AS Source", "COPY <<E /file", "content", "E"];
	const check = "RUN [ $(cat /file) = content ]";
	corpus([
		{ name: "are copied from by index", dockerfile: [...source, "FROM busybox", "COPY --from=0 /file /", check] },
		{
			name: "are copied from by name, in any case",
			dockerfile: [...source, "FROM busybox", "COPY --from=SOURCE /file /", check],
		},
		{
			name: "are mounted from",
			dockerfile: [...source, "FROM busybox", "RUN --mount=from=source,target=/m,source=/file [ $(cat /m) = content ]"],
		},
		{
			name: "of the same name: the last one before counts for FROM",
			dockerfile: ["FROM scratch AS a", "LABEL n=1", "FROM a AS a", "LABEL m=2", "FROM a"],
			config: { Labels: { n: "1", m: "2" } },
		},
		{
			name: "that are not needed are not built",
			dockerfile: ["FROM busybox AS broken", "RUN false", "FROM scratch", "LABEL a=b"],
			config: { Labels: { a: "b" } },
		},
		{
			name: "inherit the configuration",
			dockerfile: [
				"FROM scratch AS a",
				"ENV E=1",
				"USER 5",
				"WORKDIR /w",
				'CMD ["c"]',
				"STOPSIGNAL SIGINT",
				"FROM a",
				"LABEL x=y",
			],
			env: ["E=1"],
			config: { User: "5", WorkingDir: "/w", Cmd: ["c"], StopSignal: "SIGINT", Labels: { x: "y" } },
		},
	]);
});

describe("checks", () => {
	const dockerfile = ["FROM scratch AS other", "ENV old style", "FROM scratch", "ENV old style", "MAINTAINER me"];
	const build = async (lines: readonly string[], ...args: string[]) => {
		suite.context.write({ Dockerfile: lines, ".dockerignore": "*\n" });
		return await suite.daemon.gantry(["build", "--progress", "plain", ...args, suite.context.directory]);
	};

	test("of the stages that are built are told", async () => {
		const { code, stderr } = await build(dockerfile);
		expect(code).toBe(0);
		expect(stderr).toContain("2 warnings found");
		expect(stderr).toContain("- LegacyKeyValueFormat:");
		expect(stderr).toMatch(/- MaintainerDeprecated: .* \(line 5\)/);
	});

	test("fail the build that asks for it", async () => {
		const { code, stderr } = await build(["# check=error=true;skip=MaintainerDeprecated", ...dockerfile]);
		expect(code).not.toBe(0);
		expect(stderr).toContain("lint violation found for rules: LegacyKeyValueFormat");
		const argument = "BUILDKIT_DOCKERFILE_CHECK=skip=all";
		const skipped = await build(["# check=error=true", ...dockerfile], "--build-arg", argument);
		expect([skipped.code, skipped.stderr.includes("found")]).toEqual([0, false]);
	});

	test("know the base image and the .dockerignore", async () => {
		await build(["FROM scratch", "ENV FROM_BASE=1", 'SHELL ["/bin/sh", "-c"]'], "-t", "with-facts");
		const known = await build(["FROM with-facts", "WORKDIR /$FROM_BASE", "CMD x"]);
		expect([known.code, known.stderr.includes("found")]).toEqual([0, false]);
		const { code, stderr } = await build(["FROM scratch", "COPY . /all/"]);
		expect([code, stderr.includes("CopyIgnoredFile: COPY of")]).toEqual([0, true]);
		expect((await build(["FROM scratch", "COPY --from=with-facts /x /"], "--check")).code).toBe(0);
	});

	test("without building look at every stage", async () => {
		const { code, stdout } = await build(dockerfile, "--check");
		expect(code).toBe(1);
		expect(stdout).toContain("3 warnings");
	});
});

describe("refused, with the place", () => {
	const refused: readonly (readonly [dockerfile: readonly string[], message: string])[] = [
		[["FROM busybox", "RNU true"], "Dockerfile:2:1: unknown instruction: RNU (did you mean RUN?)"],
		[["FROM busybox", "COPY --form=x a b"], "Dockerfile:2:6: unknown flag: --form (did you mean --from?)"],
		[["FROM busybox", "USER ${WHO:?somebody has to be named}"], "Dockerfile:2:1: WHO: somebody has to be named"],
		[["FROM busybox", "EXPOSE many"], "Dockerfile:2:1: invalid containerPort: many"],
		[["FROM busybox", "STOPSIGNAL SIGNONSENSE"], "Dockerfile:2:1: invalid signal: SIGNONSENSE"],
		[["FROM busybox", "COPY --chmod=999 Dockerfile /"], "Dockerfile:2:1: invalid chmod parameter: '999'"],
		[["FROM busybox", "ADD --checksum=sha256:00 Dockerfile /"], "Dockerfile:2:1: checksum requires HTTP(S) or Git"],
		[["FROM busybox", "COPY https://example.com/x /"], "Dockerfile:2:1: source can't be a URL for COPY"],
		[
			["FROM busybox AS early", "COPY --from=late /x /", "FROM busybox AS late", "FROM early"],
			"Dockerfile:2:1: stage late comes after",
		],
		[["FROM busybox", 'VOLUME ["$NOTHING"]'], "Dockerfile:2:1: VOLUME specified can not be an empty string"],
		[["FROM busybox", "RUN --mount=type=cahce,target=/x true"], 'unsupported mount type "cahce" (did you mean cache?)'],
		[["# syntax=other/frontend:1", "FROM busybox"], 'the file asks for the frontend "other/frontend:1"'],
		[["FROM $NOTHING"], "base name ($NOTHING) should not be blank"],
		[["FROM busybox AS base", "ONBUILD COPY x", "FROM base"], "COPY requires at least two arguments"],
	];
	test.each(refused)("%j", async (dockerfile, message) => {
		suite.context.write({ Dockerfile: dockerfile });
		const { code, stderr } = await suite.daemon.gantry(["build", suite.context.directory]);
		expect(stderr).toContain(message);
		expect(code).not.toBe(0);
	});
});
