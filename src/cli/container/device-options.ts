import type {
	DeviceMapping,
	DeviceRequest,
	HostConfig,
	ThrottleDevice,
	WeightDevice,
} from "../../api/engine/container.ts";
import { parseBytes } from "../../base/units.ts";
import type { ParsedOptions } from "../command.ts";
import { parseValues } from "../option-parser.ts";
import { splitCommaFields } from "./comma-fields.ts";

/** Everything about devices: mappings, cgroup rules, I/O limits, GPUs. @throws UsageError, Error */
export function parseDeviceOptions(options: ParsedOptions): Partial<HostConfig> {
	const rates = (name: string) => parseValues(options, name, parseByteRate);
	const counts = (name: string) => parseValues(options, name, parseCountRate);
	const config: Partial<HostConfig> = {};
	const set = <Key extends keyof HostConfig>(key: Key, values: HostConfig[Key] & unknown[]) => {
		if (values.length > 0) config[key] = values;
	};
	set("BlkioWeightDevice", parseValues(options, "blkio-weight-device", parseWeight));
	set("BlkioDeviceReadBps", rates("device-read-bps"));
	set("BlkioDeviceWriteBps", rates("device-write-bps"));
	set("BlkioDeviceReadIOps", counts("device-read-iops"));
	set("BlkioDeviceWriteIOps", counts("device-write-iops"));
	set("DeviceCgroupRules", parseValues(options, "device-cgroup-rule", checkCgroupRule));
	const devices = options.list("device");
	set("Devices", devices.filter((text) => !isQualifiedName(text)).map(parseDevice));
	const requests: DeviceRequest[] = options.has("gpus") ? parseGpus(options) : [];
	const qualified = devices.filter(isQualifiedName);
	if (qualified.length > 0) requests.push({ Driver: "cdi", DeviceIDs: qualified });
	set("DeviceRequests", requests);
	return config;
}

/** A device of the Container Device Interface: `vendor.example/class=name`. */
function isQualifiedName(text: string): boolean {
	return /^[A-Za-z][\w.-]*\/[\w.-]+=[\w.:-]+$/.test(text);
}

const PERMISSIONS = /^[rwm]{1,3}$/;

/** `path[:path-inside][:permissions]` */
function parseDevice(text: string): DeviceMapping {
	const parts = text.split(":");
	const [source = "", second, third] = parts;
	const invalid = () => new Error(`invalid device specification: ${text}`);
	if (parts.length > 3 || source === "") throw invalid();
	if (parts.length === 3 && !PERMISSIONS.test(third ?? "")) throw new Error(`invalid device mode: ${third}`);
	if (parts.length === 2 && PERMISSIONS.test(second ?? ""))
		return { PathOnHost: source, PathInContainer: source, CgroupPermissions: second ?? "rwm" };
	return { PathOnHost: source, PathInContainer: second || source, CgroupPermissions: third ?? "rwm" };
}

function checkCgroupRule(text: string): string {
	if (!/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(text)) throw new Error(`invalid device cgroup format '${text}'`);
	return text;
}

function splitDevice(text: string): [string, string] {
	const colon = text.indexOf(":");
	const path = text.slice(0, colon);
	const value = text.slice(colon + 1);
	if (colon < 1 || value === "" || value.includes(":")) throw new Error(`bad format: ${text}`);
	if (!path.startsWith("/dev/")) throw new Error(`bad format for device path: ${text}`);
	return [path, value];
}

function parseWeight(text: string): WeightDevice {
	const [path, value] = splitDevice(text);
	const weight = Number(value);
	if (!/^\d+$/.test(value) || (weight > 0 && (weight < 10 || weight > 1000)))
		throw new Error(`invalid weight for device: ${text}`);
	return { Path: path, Weight: weight };
}

function parseByteRate(text: string): ThrottleDevice {
	const [path, value] = splitDevice(text);
	try {
		return { Path: path, Rate: parseBytes(value) };
	} catch (cause) {
		const format =
			"<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb";
		throw new Error(`invalid rate for device: ${text}. The correct format is ${format}`, { cause });
	}
}

function parseCountRate(text: string): ThrottleDevice {
	const [path, value] = splitDevice(text);
	if (!/^\d+$/.test(value))
		throw new Error(
			`invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
		);
	return { Path: path, Rate: Number(value) };
}

/** `all`, a number, or `count=…,driver=…,device=…,capabilities=…,options=…`. */
function parseGpus(options: ParsedOptions): DeviceRequest[] {
	const text = options.text("gpus");
	const request: DeviceRequest & { Capabilities: string[][] } = { Capabilities: [["gpu"]] };
	for (const field of splitCommaFields(text)) {
		const equals = field.indexOf("=");
		const key = equals < 0 ? "count" : field.slice(0, equals);
		const value = field.slice(equals + 1);
		if (key === "count") request.Count = parseGpuCount(value);
		else if (key === "driver") request.Driver = value;
		else if (key === "device") request.DeviceIDs = value.split(",");
		else if (key === "capabilities") request.Capabilities = [[...new Set(["gpu", ...value.split(",")])].sort()];
		else if (key === "options")
			request.Options = Object.fromEntries(value.split(",").map((pair) => pair.split("=", 2)));
		else throw new Error(`unexpected key '${key}' in '${field}'`);
	}
	if (request.Count === undefined && request.DeviceIDs === undefined) request.Count = 1;
	return [request];
}

function parseGpuCount(text: string): number {
	if (text === "all") return -1;
	if (!/^-?\d+$/.test(text))
		throw new Error(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`);
	return Number(text);
}
