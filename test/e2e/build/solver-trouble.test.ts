/** Builds on a full disk, and contexts that mean harm: a clear error, and a store that is as it was. */
import { expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { type TarMember, tarOf } from "../../support/tar-builder.ts";

const DISK_BYTES = 48 * 1024 * 1024;

/** `POST /build` with an archive as the context. */
async function build(daemon: TestDaemon, archive: Uint8Array, query = ""): Promise<string> {
	const response = await daemon.api("POST", `/v1.43/build?t=built${query}`, archive);
	return await response.text();
}

function fill(path: string): void {
	const fd = openSync(path, "a");
	try {
		for (const size of [1 << 20, 1 << 12, 1])
			for (;;)
				try {
					if (writeSync(fd, Buffer.alloc(size)) < size) break;
				} catch {
					break; // ENOSPC
				}
	} finally {
		closeSync(fd);
	}
}

test("a full disk fails the build, loses nothing, and the next build goes on", async () => {
	const daemon = await TestDaemon.start();
	try {
		await daemon.stop();
		await mustRun(["mount", "-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "gantry-build-disk", daemon.dataRoot]);
		await daemon.start();
		await daemon.loadBusybox();
		const dockerfile = "FROM busybox\nRUN echo small > /small\nRUN head -c 100000000 /dev/zero > /large\n";
		const archive = tarOf(...[{ name: "Dockerfile", content: dockerfile }]);
		expect(await build(daemon, archive)).toMatch(/standard output: I\/O error/);
		// (busybox's words for a write that failed.) What the failed step had written is gone.
		const free = async () =>
			Number((await mustRun(["df", "-k", "--output=avail", daemon.dataRoot])).split("\n").at(-1));
		expect(await free()).toBeGreaterThan(30_000);
		const ballast = join(daemon.dataRoot, "ballast");
		fill(ballast);
		const more = tarOf(
			...[
				{ name: "Dockerfile", content: "FROM busybox\nCOPY file /\nRUN cat /file\n" },
				{ name: "file", content: "x".repeat(1 << 20) },
			],
		);
		expect(await build(daemon, more)).toMatch(/space/i);
		// What the build had begun is removed afterwards, and makes room.
		await waitFor("the removal", () => readdirSync(join(daemon.dataRoot, "build/tmp")).length === 0);
		fill(`${ballast} again`);
		expect((await daemon.docker(["run", "--rm", "busybox", "true"])).code).not.toBe(0);
		for (const path of [ballast, `${ballast} again`]) rmSync(path);
		expect(await build(daemon, more)).toContain("Successfully built");
		const fixed = tarOf(
			...[{ name: "Dockerfile", content: `${dockerfile.split("\n").slice(0, 2).join("\n")}\nRUN cat /small\n` }],
		);
		expect(await build(daemon, fixed)).toContain("small");
		await daemon.kill();
		await daemon.start();
		for (const area of ["build/tmp", "snapshots/ingest", "snapshots/containers"])
			expect([area, ...readdirSync(join(daemon.dataRoot, area))]).toEqual([area]);
		expect(await daemon.mustDocker(["run", "--rm", "built", "cat", "/small"])).toBe("small");
	} finally {
		for (const { Id } of (await (await daemon.api("GET", "/containers/json?all=1")).json()) as { Id: string }[])
			await daemon.api("DELETE", `/containers/${Id}?force=1`);
		await daemon.stop();
		await mustRun(["umount", daemon.dataRoot]);
		await daemon.remove();
	}
}, 120_000);

test("a context that means harm is an error, or harmless", async () => {
	await using daemon = await TestDaemon.start();
	await daemon.loadBusybox();
	const victim = join(daemon.directory, "victim");
	writeFileSync(victim, "untouched");
	const dockerfile = (text: string): TarMember => ({ name: "Dockerfile", content: `FROM busybox\n${text}\n` });
	const cases: readonly (readonly [string, readonly TarMember[], RegExp])[] = [
		["no archive", [], /./],
		[
			"a name that climbs out",
			[dockerfile("RUN true"), { name: `../../../../..${victim}`, content: "hurt" }],
			/outside|Successfully/,
		],
		[
			"a file through a link out of the context",
			[
				dockerfile("COPY . /c"),
				{ name: "out", type: "symlink", linkName: daemon.directory },
				{ name: "out/victim", content: "hurt" },
			],
			/./,
		],
		[
			"a Dockerfile that is a link out",
			[{ name: "Dockerfile", type: "symlink", linkName: victim }],
			/Cannot locate|unknown instruction/,
		],
		[
			"a link out that is copied",
			[dockerfile("COPY out /c"), { name: "out", type: "symlink", linkName: victim }],
			/not found|does not exist/,
		],
		[
			"a device",
			[dockerfile("COPY . /c"), { name: "dev", type: "character-device", deviceMajor: 1, deviceMinor: 8 }],
			/./,
		],
	];
	for (const [name, members, message] of cases) {
		const text =
			name === "no archive"
				? await build(daemon, Buffer.from("this is no archive".repeat(100)))
				: await build(daemon, tarOf(...members));
		expect(`${name}: ${text}`).toMatch(message);
		expect([name, readFileSync(victim, "utf8")]).toEqual([name, "untouched"]);
	}
	// A destination through a link in the image stays in the image.
	const links =
		"RUN ln -s / /up && ln -s ../../../../../.. /far\nCOPY file /far/tmp/one\nCOPY file /up/two/\nRUN echo $(cat /tmp/one /two/file)";
	expect(await build(daemon, tarOf(...[dockerfile(links), { name: "file", content: "in" }]))).toContain("inin");
	expect(existsSync("/two/file")).toBe(false);
	for (const query of [
		"&buildargs=%7B",
		"&labels=x",
		"&memory=many",
		"&platform=a/b/c/d",
		"&t=UPPER",
		"&networkmode=container:nobody",
	])
		expect(`${query} ${await build(daemon, tarOf(...[dockerfile("RUN true")]), query)}`).not.toContain("Successfully");
	expect(await build(daemon, tarOf(...[dockerfile("RUN echo fine")]))).toContain("Successfully built");
});
