import { expect, test } from "bun:test";
import { listTargets, outline } from "./outline.ts";
import { parseDockerfile } from "./parse-dockerfile.ts";

const DOCKERFILE = parseDockerfile(`# GO which release of Go
ARG GO=1.24
ARG SUFFIX=-bookworm
ARG IMAGE=golang:\${GO}\${SUFFIX}
ARG UNUSED=1

# base has the tools
FROM --platform=$BUILDPLATFORM $IMAGE AS base
ARG GO
RUN --mount=type=cache,target=/root/.cache,id=cache,sharing=locked true

# build makes the program
FROM base AS build
# FLAGS for the compiler
ARG FLAGS=-s EXTRA
RUN --mount=type=secret,id=token,required --mount=type=secret,target=/run/netrc --mount=type=ssh make

FROM scratch AS other
ARG NOT_NEEDED=1
RUN --mount=type=secret,id=unneeded x

FROM scratch
ARG VERSION
COPY --from=build /bin/x /x
`);

const OPTIONS = {
	buildArgs: new Map([["EXTRA", "given"]]),
	buildPlatform: { os: "linux", architecture: "amd64" },
	targetPlatform: { os: "linux", architecture: "amd64" },
};

test("listTargets() has every stage, with what its comment says", () => {
	expect(
		listTargets(DOCKERFILE).map(({ name, description, base, platform, isDefault }) => [
			name,
			description,
			base,
			platform,
			isDefault,
		]),
	).toEqual([
		["base", "has the tools", "$IMAGE", "$BUILDPLATFORM", false],
		["build", "makes the program", "base", "", false],
		["other", "", "scratch", "", false],
		["", "", "scratch", "", true],
	]);
});

test("outline() has what the target and the stages it needs can be given", () => {
	const { name, description, args, secrets, ssh, caches } = outline(DOCKERFILE, OPTIONS);
	expect([name, description]).toEqual(["", ""]);
	expect(args.map(({ name, description, value, range }) => [name, description, value, range.start.line])).toEqual([
		["GO", "which release of Go", "1.24", 2],
		["SUFFIX", "", "-bookworm", 3],
		["IMAGE", "", "golang:1.24-bookworm", 4],
		["FLAGS", "for the compiler", "-s", 15],
		["EXTRA", "", "given", 15],
		["VERSION", "", "", 23],
	]);
	expect(secrets.map(({ id, required }) => [id, required])).toEqual([
		["token", true],
		["netrc", false],
	]);
	expect(ssh.map(({ id, required }) => [id, required])).toEqual([["default", false]]);
	expect(caches.map(({ id, target, sharing }) => [id, target, sharing])).toEqual([["cache", "/root/.cache", "locked"]]);
});

test("outline() of a target leaves out what it does not need", () => {
	const { name, description, args, secrets } = outline(DOCKERFILE, { ...OPTIONS, target: "BASE" });
	expect([name, description]).toEqual(["base", "has the tools"]);
	expect(args.map(({ name }) => name)).toEqual(["GO", "SUFFIX", "IMAGE"]);
	expect(secrets).toEqual([]);
});

test("outline() of no such target suggests one", () => {
	expect(() => outline(DOCKERFILE, { ...OPTIONS, target: "bulid" })).toThrow(
		'target stage "bulid" could not be found (did you mean build?)',
	);
});
