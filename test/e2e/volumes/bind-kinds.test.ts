/** Binds and volumes with IDs mapped, read-only all the way down, sources made on request. */
import { describe, expect, test } from "bun:test";
import { chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun, waitFor } from "../../support/commands.ts";

const suite = ClientSuite.use();
const { folder } = suite;
const subpaths = () => readdirSync(`${suite.daemon.execRoot}/subpaths`);
const nothingApart = () => waitFor("what was mounted apart to go", () => subpaths().length === 0);

describe("an idmap", () => {
	const source = () => {
		const path = join(folder, "mapped");
		mkdirSync(path, { recursive: true });
		writeFileSync(join(path, "mine"), "");
		chownSync(join(path, "mine"), 1000, 100);
		writeFileSync(join(path, "roots"), "");
		chownSync(path, 1000, 100);
		return path;
	};

	for (const runtime of ["crun", "runc"])
		test(`gives the files of a bind to others, both ways, with ${runtime}`, async () => {
			const path = source();
			const mount = ["--runtime", runtime, "-v", `${path}:/v:idmap=uids=1000-0-1;gids=100-0-1`];
			const script = `stat -c '%n %u %g' /v/mine /v/roots; touch /v/new-${runtime}; stat -c '%u %g' /v/new-${runtime}`;
			expect(await suite.sh(script, ...mount)).toBe("/v/mine 0 0\n/v/roots 65534 65534\n0 0");
			expect(statSync(join(path, `new-${runtime}`))).toMatchObject({ uid: 1000, gid: 100 });
			expect(await suite.sh("touch /v/x 2>&1 || true", ...mount.slice(0, 3), `${mount[3]},ro`)).toContain("Read-only");
			await nothingApart();
		});

	test("works for files, volumes and their parts, with --mount of our client, and for copies out of what is stopped", async () => {
		const path = source();
		const map = "idmap=uids=1000-7-1;gids=100-8-1";
		expect(await suite.sh("stat -c '%u %g' /f", "-v", `${join(path, "mine")}:/f:${map}`)).toBe("7 8");
		await suite.sh("mkdir /v/sub; touch /v/sub/file; chown -R 1000:100 /v", "-v", "data:/v");
		expect(await suite.sh("stat -c '%u %g' /v/sub/file", "-v", `data:/v:${map}`)).toBe("7 8");
		const mount = `type=volume,src=data,dst=/v,volume-subpath=sub,${map}`;
		const created = ["create", "--name", "mapped", "--mount", mount, "busybox", "stat", "-c", "%u %g", "/v/file"];
		await suite.daemon.mustGantry(created);
		expect(await suite.must(["start", "-a", "mapped"])).toBe("7 8");
		const archive = join(folder, "copy.tar");
		await Bun.write(archive, await suite.daemon.api("GET", "/containers/mapped/archive?path=/v"));
		expect(await mustRun(["tar", "-tvf", archive, "--numeric-owner"])).toContain("7/8");
		await suite.must(["rm", "mapped"]);
		await suite.must(["volume", "rm", "data"]);
		await nothingApart();
	});

	test("lives on with its container over the daemon's death", async () => {
		const path = source();
		await suite.must([
			"run",
			"-d",
			"--name",
			"lives",
			"-v",
			`${path}:/v:idmap=uids=1000-0-1;gids=100-0-1`,
			"busybox",
			"sleep",
			"1000",
		]);
		await suite.daemon.kill();
		await suite.daemon.start();
		expect(await suite.must(["exec", "lives", "stat", "-c", "%u", "/v/mine"])).toBe("0");
		expect(subpaths()).toHaveLength(1);
		await suite.must(["rm", "-f", "lives"]);
		await nothingApart();
	});

	test("that is none, or of a file system that cannot, is refused", async () => {
		const refused = (mode: string, from = folder) =>
			suite.refusal(["run", "--rm", "-v", `${from}:/v:${mode}`, "busybox", "true"]);
		expect(await refused("idmap")).toContain("it must have the form uids=DISK-SHOWN-LENGTH");
		expect(await refused("idmap=uids=1-2")).toContain('"1-2" is no range');
		expect(await refused("idmap=uids=0-0-10#5-20-1")).toContain("ranges of uids overlap");
		expect(await refused("idmap=uids=0-1-1", "/proc/self")).toMatch(
			/cannot mount \/proc\/.* with an idmap .*invalid argument/,
		);
		const tmpfs = await suite.daemon.gantry(["create", "--mount", "type=tmpfs,dst=/t,idmap=uids=0-1-1", "busybox"]);
		expect([tmpfs.code, tmpfs.stderr]).toEqual([1, expect.stringContaining("field IdMap must not be specified")]);
		await nothingApart();
		expect(await suite.must(["ps", "-aq"])).toBe("");
	});
});

describe("read-only", () => {
	test("reaches mounts below a bind, unless told otherwise", async () => {
		const path = join(folder, "tree");
		mkdirSync(join(path, "below"), { recursive: true });
		await mustRun(["mount", "-t", "tmpfs", "gantry-below", join(path, "below")]);
		try {
			const touch = (...options: string[]) =>
				suite.sh("touch /v/x 2>&1; touch /v/below/x 2>&1 && echo written; true", ...options);
			expect(await touch("-v", `${path}:/v:ro`)).not.toContain("written");
			const mount = (rest: string) => ["--mount", `type=bind,src=${path},dst=/v,readonly${rest}`];
			expect(await touch(...mount(""))).not.toContain("written");
			expect(await touch(...mount(",bind-recursive=writable"))).toMatch(/Read-only file system\nwritten/);
			expect(await touch(...mount(",bind-recursive=readonly,bind-propagation=rprivate"))).not.toContain("written");
			expect(await touch("-v", `${path}:/v:rro`)).not.toContain("written");
			for (const runtime of ["crun", "runc"]) {
				const options = ["--runtime", runtime, ...mount(",bind-recursive=disabled")];
				expect(await suite.sh("ls -A /v/below; touch /v/x 2>&1 || true", ...options)).toMatch(/^touch: .*Read-only/);
			}
		} finally {
			await mustRun(["umount", join(path, "below")]);
		}
	});
});

describe("a missing source", () => {
	test("is made with bind-create-src, and with -v", async () => {
		const mount = `type=bind,src=${folder}/made/deep,dst=/v`;
		expect(await suite.refusal(["run", "--rm", "--mount", mount, "busybox", "true"])).toContain(
			"bind source path does not exist",
		);
		await suite.daemon.mustGantry([
			"run",
			"--rm",
			"--mount",
			`${mount},bind-create-src`,
			"busybox",
			"touch",
			"/v/file",
		]);
		expect(existsSync(join(folder, "made/deep/file"))).toBe(true);
		const body = {
			Image: "busybox",
			Cmd: ["touch", "/v/file"],
			HostConfig: {
				AutoRemove: true,
				Mounts: [{ Type: "bind", Source: `${folder}/by-api`, Target: "/v", BindOptions: { CreateMountpoint: true } }],
			},
		};
		const { Id } = (await (await suite.daemon.api("POST", "/containers/create", body)).json()) as { Id: string };
		await suite.must(["start", "-a", Id]);
		expect(existsSync(join(folder, "by-api/file"))).toBe(true);
	});
});
