/** Images mounted into containers (`--mount type=image`), with a client. */
import { beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { ClientSuite } from "../../support/client-suite.ts";
import { waitFor } from "../../support/commands.ts";
import { tarOf } from "../../support/tar-builder.ts";

const suite = ClientSuite.use();

async function importImage(repository: string, content: string): Promise<string> {
	const tar = tarOf(
		{ name: "sub/", mode: 0o755 },
		{ name: "sub/deep", content, mode: 0o640, uid: 12 },
		{ name: "top", content: "at the top" },
		{ name: "out", type: "symlink", linkName: "/etc" },
		{ name: "in", type: "symlink", linkName: "/sub" },
	);
	const reply = await suite.daemon.api("POST", `/images/create?fromSrc=-&repo=${repository}&tag=latest`, tar);
	expect(await reply.text()).not.toContain("error");
	return await suite.must(["image", "inspect", "-f", "{{.Id}}", repository]);
}

const layers = () => readdirSync(`${suite.daemon.dataRoot}/snapshots/layers`).length;
const snapshots = () => readdirSync(`${suite.daemon.dataRoot}/snapshots/containers`);
const mount = (rest: string) => ["--mount", `type=image,source=data,${rest}`];

let id = "";
beforeAll(async () => {
	id = await importImage("data", "first");
});

test("show the image read-only, with its owners and modes and nothing that containers add", async () => {
	const script =
		"ls -A /i; stat -c '%u %a' /i/sub/deep; cat /i/sub/deep; echo; touch /i/new 2>&1; chmod 777 /i/top 2>&1";
	const seen = await suite.run(["run", "--rm", ...mount("target=/i"), "busybox", "sh", "-c", script]);
	expect(seen.stdout.split("\n").slice(0, 6)).toEqual(["in", "out", "sub", "top", "12 640", "first"]);
	expect(seen.stdout).toMatch(/touch: .*Read-only file system\nchmod: .*Read-only file system/);
	await waitFor("the snapshots to go", () => snapshots().length === 0);
});

test("show a part of it by image-subpath, a file too, and never what is outside", async () => {
	expect(await suite.sh("ls /i", ...mount("target=/i,image-subpath=sub"))).toBe("deep");
	expect(await suite.sh("cat /i", ...mount("target=/i,image-subpath=sub/deep"))).toBe("first");
	expect(await suite.sh("ls /i", ...mount("target=/i,image-subpath=in"))).toBe("deep");
	const refused = (subpath: string) =>
		suite.refusal(["run", "--rm", ...mount(`target=/i,image-subpath=${subpath}`), "busybox", "true"]);
	expect(await refused("none")).toMatch(/cannot access path .*\/none: .*no such file/);
	expect(await refused("out")).toMatch(/cannot access path .*\/out: .*no such file/);
	expect(await refused("../x")).toContain("subpath must be a relative path within the");
	await waitFor("the parts to go", () => readdirSync(`${suite.daemon.execRoot}/subpaths`).length === 0);
});

test("are refused in Docker's words when there is no such image, no source, or the client is too old", async () => {
	const run = (text: string) => suite.refusal(["create", "--pull", "never", "--mount", text, "busybox"]);
	expect(await run("type=image,source=nosuch,target=/i")).toContain("No such image: nosuch:latest");
	expect(await run("type=image,target=/i")).toContain("field Source must not be empty");
	const body = { Image: "busybox", HostConfig: { Mounts: [{ Type: "image", Source: "data", Target: "/i" }] } };
	const old = await suite.daemon.api("POST", "/v1.47/containers/create", body);
	expect([old.status, await old.text()]).toEqual([
		400,
		expect.stringContaining('Mount type \\"Image\\" needs API v1.48'),
	]);
	await waitFor("the snapshots to go", () => snapshots().length === 0);
});

test("keep the image from rmi; what was mounted outlives a removal by force, restarts and another image of its name", async () => {
	const before = layers();
	await suite.must(["run", "-d", "--name", "holder", ...mount("target=/i"), "busybox", "sleep", "1000"]);
	const [inspected] = JSON.parse(
		await suite.must(["inspect", "-f", "{{json .Mounts}}", "holder"]).then((text) => text),
	);
	expect(inspected).toMatchObject({
		Type: "image",
		Name: "data",
		Destination: "/i",
		RW: false,
		Propagation: "rprivate",
	});
	expect(await suite.refusal(["rmi", "data"])).toMatch(
		/unable to remove repository reference "data" \(must force\) - container [0-9a-f]{12} is using its referenced image/,
	);
	expect(await suite.must(["image", "prune", "-af"])).not.toContain(id);
	await suite.must(["rmi", "-f", "data"]);
	await importImage("data", "second");
	expect(await suite.must(["exec", "holder", "cat", "/i/sub/deep"])).toBe("first");
	await suite.must(["restart", "-t", "0", "holder"]);
	expect(await suite.must(["exec", "holder", "cat", "/i/sub/deep"])).toBe("first");
	expect(await suite.sh("cat /i/sub/deep", ...mount("target=/i"))).toBe("second");
	expect(await suite.sh("cat /i/sub/deep", "--volumes-from", "holder")).toBe("first");
	await suite.daemon.kill();
	await suite.daemon.start();
	expect(await suite.must(["exec", "holder", "cat", "/i/sub/deep"])).toBe("first");
	await suite.must(["stop", "-t", "0", "holder"]);
	await suite.daemon.kill();
	await suite.daemon.start();
	expect(await suite.must(["cp", "holder:/i/sub/deep", "-"]).then((tar) => tar.includes("first"))).toBe(true);
	expect(await suite.refusal(["cp", "/etc/hostname", "holder:/i/sub/"])).toContain("marked read-only");
	await suite.must(["rm", "-f", "holder"]);
	await waitFor("the snapshots to go", () => snapshots().length === 0);
	expect(layers()).toBe(before);
});

test("two of them and a volume lie in one container, the volume's own files untouched", async () => {
	const options = [...mount("target=/one"), ...mount("target=/two,image-subpath=sub"), "-v", "beside:/beside"];
	expect(await suite.sh("touch /beside/x; ls /beside /one/sub /two", ...options)).toBe(
		"/beside:\nx\n\n/one/sub:\ndeep\n\n/two:\ndeep",
	);
	await suite.must(["volume", "rm", "beside"]);
});
