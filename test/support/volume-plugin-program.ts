/**
 * A volume plugin as a program of its own, over Docker's protocol: `volume-plugin-program.ts <directory> [port certificate key]`.
 *
 * ```
 * <directory>/plugin.sock    where it listens, unless a port is given
 * <directory>/calls          a line for each call: method, then the request
 * <directory>/state.json     volumes and who has them mounted
 * <directory>/files/<name>   their files; bound to mounts/<name> while somebody has them mounted
 * ```
 *
 * A volume with the option `fail=<method>` makes that method fail.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Stored {
	readonly options: Record<string, string>;
	readonly createdAt: string;
	mounts: string[];
}

const [directory = "", port, certificate, key] = process.argv.slice(2);
const statePath = join(directory, "state.json");
const volumes: Record<string, Stored> = existsSync(statePath) ? JSON.parse(readFileSync(statePath, "utf8")) : {};

class PluginError extends Error {}

function save(): void {
	writeFileSync(`${statePath}.new`, JSON.stringify(volumes));
	writeFileSync(statePath, readFileSync(`${statePath}.new`));
}

const filesOf = (name: string) => join(directory, "files", name);
const mountpointOf = (name: string) => join(directory, "mounts", name);

function run(...argv: string[]): void {
	const { success, stderr } = Bun.spawnSync(argv);
	if (!success) throw new PluginError(stderr.toString().trim());
}

function found(name: string): Stored {
	const volume = volumes[name];
	if (volume === undefined) throw new PluginError(`${name} is not known to me`);
	return volume;
}

function view(name: string, volume: Stored) {
	const Mountpoint = volume.mounts.length > 0 ? mountpointOf(name) : "";
	return { Name: name, Mountpoint, CreatedAt: volume.createdAt, Status: { holders: volume.mounts.length } };
}

type Request = { Name?: string; ID?: string; Opts?: Record<string, string> };

const METHODS: Record<string, (request: Required<Request>) => unknown> = {
	"Plugin.Activate": () => ({ Implements: ["VolumeDriver"] }),
	"VolumeDriver.Capabilities": () => ({ Capabilities: { Scope: "global" } }),
	"VolumeDriver.Create": ({ Name, Opts }) => {
		if (Opts["fail"] === "create") throw new PluginError("I do not want to");
		volumes[Name] ??= { options: Opts, createdAt: "2020-02-02T02:02:02Z", mounts: [] };
		mkdirSync(filesOf(Name), { recursive: true });
		return {};
	},
	"VolumeDriver.Remove": ({ Name }) => {
		if (found(Name).options["fail"] === "remove") throw new PluginError("I keep it");
		if (found(Name).mounts.length > 0) throw new PluginError(`${Name} is mounted`);
		delete volumes[Name];
		rmSync(filesOf(Name), { recursive: true, force: true });
		return {};
	},
	"VolumeDriver.Mount": ({ Name, ID }) => {
		const volume = found(Name);
		if (volume.options["fail"] === "mount") throw new PluginError("no disk today");
		if (volume.mounts.includes(ID)) throw new PluginError(`${ID} has it already`);
		if (volume.mounts.length === 0) {
			mkdirSync(mountpointOf(Name), { recursive: true });
			run("mount", "--bind", filesOf(Name), mountpointOf(Name));
		}
		volume.mounts.push(ID);
		return { Mountpoint: mountpointOf(Name) };
	},
	"VolumeDriver.Unmount": ({ Name, ID }) => {
		const volume = found(Name);
		if (!volume.mounts.includes(ID)) throw new PluginError(`${ID} does not have it`);
		volume.mounts = volume.mounts.filter((each) => each !== ID);
		if (volume.mounts.length > 0) return {};
		run("umount", mountpointOf(Name));
		rmdirSync(mountpointOf(Name));
		return {};
	},
	"VolumeDriver.Path": ({ Name }) => ({ Mountpoint: view(Name, found(Name)).Mountpoint }),
	"VolumeDriver.Get": ({ Name }) => ({ Volume: view(Name, found(Name)) }),
	"VolumeDriver.List": () => ({ Volumes: Object.entries(volumes).map(([name, volume]) => view(name, volume)) }),
};

const isSecure = certificate !== undefined && key !== undefined;
Bun.serve({
	...(port === undefined ? { unix: join(directory, "plugin.sock") } : { port: Number(port), hostname: "127.0.0.1" }),
	...(isSecure ? { tls: { cert: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") } } : {}),
	async fetch(request) {
		const method = new URL(request.url).pathname.slice(1);
		const text = await request.text();
		appendFileSync(join(directory, "calls"), `${method} ${text}\n`);
		const answer = METHODS[method];
		if (answer === undefined) return new Response("404 page not found", { status: 404 });
		try {
			const result = answer({ Name: "", ID: "", Opts: {}, ...JSON.parse(text || "{}") });
			save();
			return Response.json(result);
		} catch (error) {
			// Both ways are in use: an error with status 200, and with 500.
			const Err = error instanceof Error ? error.message : String(error);
			return Response.json({ Err }, { status: method === "VolumeDriver.Mount" ? 500 : 200 });
		}
	},
});
console.log("listening");
