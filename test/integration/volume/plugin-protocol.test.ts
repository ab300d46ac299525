/** Finding volume plugins, and talking to them, with plugin processes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { HttpVolumePlugins } from "../../../src/drivers/volume-plugins/http-volume-plugins.ts";
import { DOCKER_PLUGIN_PATHS, PluginDirectories } from "../../../src/drivers/volume-plugins/plugin-directories.ts";
import { mustRun } from "../../support/commands.ts";
import { VolumePluginProcess } from "../../support/volume-plugin.ts";

const base = mkdtempSync(join(tmpdir(), "gantry-plugins-"));
const [sockets, specifications] = [join(base, "run"), join(base, "etc")];
const directories = new PluginDirectories({ sockets: [sockets], specifications: [specifications] });
let plugin: VolumePluginProcess;

const plugins = () => new HttpVolumePlugins(directories, systemClock);
const specify = (file: string, text: string) => {
	mkdirSync(join(specifications, file, ".."), { recursive: true });
	writeFileSync(join(specifications, file), text);
};

beforeAll(async () => {
	mkdirSync(sockets);
	mkdirSync(specifications);
	plugin = await VolumePluginProcess.start(join(base, "plugin"));
	plugin.publish(join(sockets, "direct.sock"));
	plugin.publish(join(sockets, "nested/nested.sock"));
	specify("named.spec", `unix://${plugin.socket}\n`);
	specify("folder/folder.json", JSON.stringify({ Name: "folder", Addr: `unix://${plugin.socket}` }));
	specify("broken.json", "{");
	specify("odd.spec", "carrier-pigeon");
	specify("gone.spec", `unix://${base}/nobody.sock`);
	writeFileSync(join(sockets, "file.sock"), "no socket");
	writeFileSync(join(specifications, "README"), "");
});
afterAll(async () => {
	await plugin[Symbol.asyncDispose]();
	rmSync(base, { recursive: true });
});

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	return typeof address === "object" && address !== null ? address.port : 0;
}

describe("plugins are found", () => {
	test("by sockets and by files that name an address, in directories of their name too", async () => {
		expect(directories.names()).toEqual(["broken", "direct", "file", "folder", "gone", "named", "nested", "odd"]);
		for (const name of ["direct", "nested", "named", "folder"])
			expect(await (await plugins().find(name)).scope()).toBe("global");
		expect(DOCKER_PLUGIN_PATHS).toEqual({
			sockets: ["/run/docker/plugins"],
			specifications: ["/etc/docker/plugins", "/usr/lib/docker/plugins"],
		});
	});

	test("or not, with an error that says why, and no name leads out of the directories", async () => {
		const failure = (name: string) =>
			plugins()
				.find(name)
				.then(
					() => "found",
					(error: Error) => error.message,
				);
		expect(await failure("none")).toBe('plugin "none" not found');
		expect(await failure("file")).toBe('plugin "file" not found');
		for (const name of ["../run/direct", "..", "a/b", "", ".hidden", "x\0y"])
			expect(await failure(name)).toBe(`plugin "${name}" not found`);
		expect(await failure("broken")).toContain("broken.json: ");
		expect(await failure("odd")).toContain('"carrier-pigeon" is no address of a plugin');
		expect(await failure("gone")).toBe("Plugin.Activate: the plugin does not listen");
	});

	test("over TCP, with TLS as their file says", async () => {
		const [certificate, key] = [join(base, "cert.pem"), join(base, "key.pem")];
		await mustRun(
			["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate].concat([
				"-days",
				"2",
				"-subj",
				"/CN=plugin",
				"-addext",
				"subjectAltName=IP:127.0.0.1",
			]),
		);
		const port = await freePort();
		await using secure = await VolumePluginProcess.start(join(base, "secure"), String(port), certificate, key);
		const addr = `tcp://127.0.0.1:${port}`;
		specify("trusted.json", JSON.stringify({ Addr: addr, TLSConfig: { CAFile: certificate } }));
		specify("careless.json", JSON.stringify({ Addr: addr, TLSConfig: { InsecureSkipVerify: true } }));
		specify("strange.json", JSON.stringify({ Addr: `https://127.0.0.1:${port}/` }));
		await (await plugins().find("trusted")).create("far", {});
		expect((await (await plugins().find("careless")).list()).map(({ name }) => name)).toEqual(["far"]);
		await expect(plugins().find("strange")).rejects.toThrow(/Plugin\.Activate: .*self.signed/i);
		expect(secure.calls()).toEqual(["Create far"]);
	});

	test("that do something else are no volume drivers", async () => {
		using server = Bun.serve({
			unix: join(sockets, "network.sock"),
			fetch: () => Response.json({ Implements: ["NetworkDriver"] }),
		});
		await expect(plugins().find("network")).rejects.toThrow(
			'Plugin does not implement the requested driver: plugin="network", requested implementation="VolumeDriver"',
		);
		await server.stop(true);
	});
});

describe("a plugin", () => {
	test("makes, mounts, tells of and removes volumes; its errors are told", async () => {
		const all = plugins();
		const driver = await all.find("direct");
		expect(all.active()).toEqual(["direct"]);
		await driver.create("data", { size: "1" });
		expect(await driver.path("data")).toBe("");
		expect(await driver.mount("data", "one")).toBe(join(plugin.directory, "mounts/data"));
		expect(await driver.get("data")).toEqual({
			name: "data",
			mountpoint: join(plugin.directory, "mounts/data"),
			createdAt: "2020-02-02T02:02:02Z",
			status: { holders: 1 },
		});
		await expect(driver.remove("data")).rejects.toThrow(/^data is mounted$/);
		await expect(driver.mount("data", "one")).rejects.toThrow(/^VolumeDriver\.Mount: one has it already$/);
		expect(await driver.get("none")).toBeUndefined();
		await driver.unmount("data", "one");
		expect((await driver.list()).map(({ name }) => name)).toEqual(["data"]);
		await driver.remove("data");
		expect(await driver.list()).toEqual([]);
	});

	test("that was started anew is found again, and waited for by who is patient", async () => {
		const all = plugins();
		const driver = await all.find("direct");
		await plugin.stop();
		await expect(driver.list()).rejects.toThrow("VolumeDriver.List: the plugin does not listen");
		const made = driver.create("late", {});
		await plugin.start();
		await made;
		await driver.remove("late");
		const patient = all.find("newcomer", { patient: true });
		plugin.publish(join(sockets, "newcomer.sock"));
		expect(await (await patient).list()).toEqual([]);
	});

	test("that answers nonsense, too much or never is an error and no harm", async () => {
		const answers: Record<string, () => Response> = {
			nonsense: () => new Response("<html>"),
			list: () => Response.json({ Volumes: ["x", null, { Name: 7 }, { Name: "good", Mountpoint: 1 }] }),
			flood: () =>
				new Response(
					new ReadableStream({
						pull: (controller) => controller.enqueue(new Uint8Array(1 << 20)),
					}),
				),
			moved: () => new Response(null, { status: 302, headers: { Location: "http://127.0.0.1:1/" } }),
		};
		let answer: () => Response = () => Response.json({ Implements: ["VolumeDriver"] });
		using server = Bun.serve({ unix: join(sockets, "hostile.sock"), fetch: () => answer() });
		const driver = await plugins().find("hostile");
		const ask = (name: string) => {
			answer = answers[name] ?? answer;
			return driver.list();
		};
		await expect(ask("nonsense")).rejects.toThrow("VolumeDriver.List: the plugin's answer is no JSON object");
		expect(await ask("list")).toEqual([{ name: "good", mountpoint: "" }]);
		await expect(ask("flood")).rejects.toThrow("the plugin's answer does not end");
		await expect(ask("moved")).rejects.toThrow("VolumeDriver.List:");
		await server.stop(true);
	});
});
