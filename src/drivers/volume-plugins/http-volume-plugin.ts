import { UnavailableError } from "../../base/errors.ts";
import type { PluginVolume, VolumePlugin } from "../../core/volume/volume-plugin.ts";
import type { PluginClient } from "./plugin-client.ts";

/** Docker's: what makes or mounts something may take long. */
const LONG_MS = 120_000;
const SHORT_MS = 60_000;
/** For what a list of volumes waits for. */
const LOOK_MS = 10_000;

/** A volume plugin over HTTP. */
export class HttpVolumePlugin implements VolumePlugin {
	#scope: "local" | "global" | undefined;

	constructor(
		readonly name: string,
		private readonly client: PluginClient,
	) {}

	/** Plugins need not know the question. */
	async scope(): Promise<"local" | "global"> {
		this.#scope ??= await this.client
			.call("VolumeDriver.Capabilities", {}, { timeoutMs: LOOK_MS })
			.then(scopeOf)
			.catch(() => "local" as const);
		return this.#scope;
	}

	async create(name: string, options: Readonly<Record<string, string>>): Promise<void> {
		await this.client.call("VolumeDriver.Create", { Name: name, Opts: options }, { timeoutMs: LONG_MS, patient: true });
	}

	async remove(name: string): Promise<void> {
		await this.client.call("VolumeDriver.Remove", { Name: name }, { timeoutMs: SHORT_MS });
	}

	async get(name: string): Promise<PluginVolume | undefined> {
		try {
			const answer = await this.client.call("VolumeDriver.Get", { Name: name }, { timeoutMs: SHORT_MS });
			return volumeOf(answer["Volume"]);
		} catch (error) {
			if (error instanceof UnavailableError) throw error;
			return undefined; // "no such volume", in its words
		}
	}

	async list(): Promise<PluginVolume[]> {
		const { Volumes } = await this.client.call("VolumeDriver.List", {}, { timeoutMs: LOOK_MS });
		return Array.isArray(Volumes) ? Volumes.flatMap((volume) => volumeOf(volume) ?? []) : [];
	}

	async path(name: string): Promise<string> {
		return textOf((await this.client.call("VolumeDriver.Path", { Name: name }, { timeoutMs: SHORT_MS }))["Mountpoint"]);
	}

	async mount(name: string, id: string): Promise<string> {
		const request = { Name: name, ID: id };
		const answer = await this.client.call("VolumeDriver.Mount", request, { timeoutMs: LONG_MS, patient: true });
		return textOf(answer["Mountpoint"]);
	}

	async unmount(name: string, id: string): Promise<void> {
		await this.client.call("VolumeDriver.Unmount", { Name: name, ID: id }, { timeoutMs: SHORT_MS, patient: true });
	}
}

function scopeOf({ Capabilities }: Readonly<Record<string, unknown>>): "local" | "global" {
	const scope = isObject(Capabilities) ? textOf(Capabilities["Scope"]) : "";
	return scope.toLowerCase() === "global" ? "global" : "local";
}

function volumeOf(value: unknown): PluginVolume | undefined {
	if (!isObject(value) || textOf(value["Name"]) === "") return undefined;
	const createdAt = textOf(value["CreatedAt"]);
	const status = value["Status"];
	return {
		name: textOf(value["Name"]),
		mountpoint: textOf(value["Mountpoint"]),
		...(createdAt === "" ? {} : { createdAt }),
		...(isObject(status) ? { status } : {}),
	};
}

function textOf(value: unknown): string {
	return typeof value === "string" ? value : "";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
