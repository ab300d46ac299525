import { resolve } from "node:path";
import type { MountRequest, MountType } from "../../api/engine/container.ts";
import { parseBytes } from "../../base/units.ts";
import { splitCommaFields } from "./comma-fields.ts";

/** `--mount`, with docker's keys and messages. @throws Error */
export function parseMount(text: string): MountRequest {
	if (text === "") throw new Error("value is empty");
	const mount: MountRequest = { Type: "volume", Target: "" };
	for (const field of splitCommaFields(text)) {
		const equals = field.indexOf("=");
		const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
		if (equals < 0) setBareField(mount, key, field);
		else setField(mount, { key, value: field.slice(equals + 1), field });
	}
	checkMount(mount);
	return mount;
}

function setBareField(mount: MountRequest, key: string, field: string): void {
	if (key === "readonly" || key === "ro") mount.ReadOnly = true;
	else if (key === "volume-nocopy") mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: true };
	else if (key === "bind-nonrecursive") mount.BindOptions = { ...mount.BindOptions, NonRecursive: true };
	else if (key === "bind-create-src") mount.BindOptions = { ...mount.BindOptions, CreateMountpoint: true };
	else throw new Error(`invalid field '${field}' must be a key=value pair`);
}

interface MountField {
	key: string;
	value: string;
	field: string;
}

function setField(mount: MountRequest, { key, value, field }: MountField): void {
	switch (key) {
		case "type":
			// Unknown types are the daemon's to refuse.
			mount.Type = value.toLowerCase() as MountType;
			return;
		case "source":
		case "src":
			mount.Source =
				value === "." || value.startsWith("./") || value.startsWith("../") || value === ".." ? resolve(value) : value;
			return;
		case "target":
		case "dst":
		case "destination":
			mount.Target = value;
			return;
		case "readonly":
		case "ro":
			mount.ReadOnly = parseBoolean(key, value);
			return;
		case "idmap":
			mount.IdMap = value;
			return;
		case "consistency":
			mount.Consistency = value.toLowerCase();
			return;
		default:
			if (key.startsWith("bind-")) setBindField(mount, { key, value, field });
			else if (key.startsWith("volume-")) setVolumeField(mount, { key, value, field });
			else if (key.startsWith("tmpfs-")) setTmpfsField(mount, { key, value, field });
			else if (key === "image-subpath") mount.ImageOptions = { Subpath: value };
			else throw new Error(`unexpected key '${key}' in '${field}'`);
	}
}

function setBindField(mount: MountRequest, { key, value, field }: MountField): void {
	const options = { ...mount.BindOptions };
	mount.BindOptions = options;
	if (key === "bind-propagation") options.Propagation = value.toLowerCase();
	else if (key === "bind-nonrecursive") options.NonRecursive = parseBoolean(key, value);
	else if (key === "bind-create-src") options.CreateMountpoint = parseBoolean(key, value);
	else if (key === "bind-recursive") {
		if (value === "disabled") options.NonRecursive = true;
		else if (value === "writable") options.ReadOnlyNonRecursive = true;
		else if (value === "readonly") options.ReadOnlyForceRecursive = true;
		else if (value !== "enabled")
			throw new Error(
				`invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
			);
	} else throw new Error(`unexpected key '${key}' in '${field}'`);
}

function setVolumeField(mount: MountRequest, { key, value, field }: MountField): void {
	const options = { ...mount.VolumeOptions };
	mount.VolumeOptions = options;
	if (key === "volume-nocopy") options.NoCopy = parseBoolean(key, value);
	else if (key === "volume-subpath") options.Subpath = value;
	else if (key === "volume-label") options.Labels = { ...options.Labels, ...pair(value) };
	else if (key === "volume-driver") options.DriverConfig = { ...options.DriverConfig, Name: value };
	else if (key === "volume-opt")
		options.DriverConfig = { ...options.DriverConfig, Options: { ...options.DriverConfig?.Options, ...pair(value) } };
	else throw new Error(`unexpected key '${key}' in '${field}'`);
}

function setTmpfsField(mount: MountRequest, { key, value, field }: MountField): void {
	const options = { ...mount.TmpfsOptions };
	mount.TmpfsOptions = options;
	if (key === "tmpfs-size") {
		try {
			options.SizeBytes = parseBytes(value);
		} catch (cause) {
			throw new Error(`invalid value for ${key}: ${value}`, { cause });
		}
	} else if (key === "tmpfs-mode") {
		if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
		options.Mode = Number.parseInt(value, 8);
	} else throw new Error(`unexpected key '${key}' in '${field}'`);
}

function checkMount(mount: MountRequest): void {
	if (mount.Target === "") throw new Error("target is required");
	const groups = [
		[mount.VolumeOptions, "volume"],
		[mount.BindOptions, "bind"],
		[mount.TmpfsOptions, "tmpfs"],
		[mount.ImageOptions, "image"],
	] as const;
	for (const [options, type] of groups)
		if (options !== undefined && mount.Type !== type)
			throw new Error(`cannot mix '${type}-*' options with mount type '${mount.Type}'`);
	const bind = mount.BindOptions;
	if (bind?.ReadOnlyNonRecursive && !mount.ReadOnly)
		throw new Error("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
	if (bind?.ReadOnlyForceRecursive && !mount.ReadOnly)
		throw new Error("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
	if (bind?.ReadOnlyForceRecursive && bind.Propagation !== "rprivate")
		throw new Error(
			"option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
		);
}

function parseBoolean(key: string, value: string): boolean {
	if (/^(1|t|true)$/i.test(value)) return true;
	if (/^(0|f|false)$/i.test(value)) return false;
	throw new Error(`invalid value for ${key}: ${value}`);
}

function pair(text: string): Record<string, string> {
	const equals = text.indexOf("=");
	return equals < 0 ? { [text]: "" } : { [text.slice(0, equals)]: text.slice(equals + 1) };
}

export interface VolumeOptions {
	binds: string[];
	/** Paths of anonymous volumes. */
	anonymous: Record<string, Record<string, never>>;
}

/** `-v source:path[:options]` and `-v path`; a source that begins with a dot is made absolute. @throws Error */
export function parseVolumes(texts: readonly string[]): VolumeOptions {
	const volumes: VolumeOptions = { binds: [], anonymous: {} };
	for (const text of texts) {
		const parts = text.split(":");
		if (text === "") throw new Error("invalid empty volume spec");
		if (parts.length === 1) {
			volumes.anonymous[text] = {};
			continue;
		}
		if (parts.some((part) => part.trim() === ""))
			throw new Error(`invalid spec: ${text}: empty section between colons`);
		const source = parts[0] ?? "";
		volumes.binds.push(source.startsWith(".") ? [resolve(source), ...parts.slice(1)].join(":") : text);
	}
	return volumes;
}

/** `--tmpfs path[:options]` */
export function parseTmpfs(texts: readonly string[]): Record<string, string> {
	const mounts: Record<string, string> = {};
	for (const text of texts) {
		const colon = text.indexOf(":");
		mounts[colon < 0 ? text : text.slice(0, colon)] = colon < 0 ? "" : text.slice(colon + 1);
	}
	return mounts;
}
