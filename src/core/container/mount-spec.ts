/** One mount at a time: `-v` strings and `--mount` requests as ContainerMounts, with Docker's checks and words. */
import { posix } from "node:path";
import type { MountRequest } from "../../api/engine/container.ts";
import { type EngineError, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { ContainerMount } from "./container-record.ts";
import { type IdMap, parseIdMap } from "./id-map.ts";
import { checkTmpfsOption } from "./tmpfs-options.ts";

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const;

export interface MountContext {
	readonly newVolumeName: () => string;
	/** Volume driver of `-v` strings (`--volume-driver`); empty for whichever has a volume of that name, else `local`. */
	readonly volumeDriver: string;
	/** A bind whose source holds the daemon's own root is made a slave, so that its mounts do not stay busy in the container. */
	readonly dataRoot: string;
}

interface BindMode {
	readonly readOnly: boolean;
	readonly readOnlyRecursive: ContainerMount["readOnlyRecursive"];
	readonly propagation: ContainerMount["propagation"];
	readonly copy: boolean | undefined;
	readonly idMap: IdMap | undefined;
}

/** Docker answers 500 to a malformed `-v` string. */
function invalidSpec(spec: string, why?: string): SystemError {
	return new SystemError(`invalid volume specification: '${spec}'${why === undefined ? "" : `: ${why}`}`);
}

function invalidConfig(type: string, why: string): string {
	return `invalid mount config for type "${type}": ${why}`;
}

/**
 * `source:target[:mode]`, `name:target[:mode]`, or a target alone for an anonymous volume.
 * @throws SystemError, InvalidParameterError
 */
export function parseBind(spec: string, context: MountContext): ContainerMount {
	const parts = spec.split(":");
	const [first = "", second = "", modeText = ""] = parts;
	if (first === "" || parts.length > 3 || (parts.length === 2 && parseMode(second) !== undefined))
		throw invalidSpec(spec);
	const mode = parseMode(modeText);
	if (mode === undefined) throw new SystemError(`invalid mode: ${modeText}`);
	const source = parts.length === 1 ? "" : first;
	const type = source.startsWith("/") ? "bind" : "volume";
	const targetFault = faultOfTarget(parts.length === 1 ? first : second);
	if (targetFault !== undefined) throw invalidSpec(spec, invalidConfig(type, targetFault));
	const target = cleanPath(parts.length === 1 ? first : second);
	if (type === "bind" && mode.copy !== undefined)
		throw invalidSpec(spec, invalidConfig(type, "field VolumeOptions must not be specified"));
	if (type === "volume" && mode.propagation !== "")
		throw invalidSpec(spec, invalidConfig(type, "field BindOptions must not be specified"));
	const { readOnly, readOnlyRecursive, idMap } = mode;
	const mapped = idMap === undefined ? {} : { idMap };
	const shared = { target, readOnly, readOnlyRecursive, recursive: true, origin: "binds", ...mapped } as const;
	if (type === "bind") {
		const path = cleanPath(source);
		const propagation = settlePropagation(mode.propagation, path, context.dataRoot);
		return { ...shared, type, source: path, createSource: true, ...propagation, mode: modeText };
	}
	return {
		...shared,
		type,
		source: source === "" ? context.newVolumeName() : source,
		createSource: false,
		propagation: "",
		mode: modeText === "" ? "z" : modeText,
		volume: {
			driver: context.volumeDriver,
			anonymous: source === "",
			copy: mode.copy ?? true,
			subpath: "",
		},
	};
}

/** Undefined when `text` is not a mode. The empty string is one. */
export function parseMode(text: string): BindMode | undefined {
	let readOnly: boolean | undefined;
	let readOnlyRecursive: BindMode["readOnlyRecursive"] = "if-possible";
	let propagation: BindMode["propagation"] = "";
	let copy: boolean | undefined;
	let idMap: IdMap | undefined;
	let label = false;
	let consistency = false;
	for (const option of text === "" ? [] : text.split(",")) {
		const known = PROPAGATIONS.find((name) => name === option);
		if (option === "ro" || option === "rw" || option === "rro") {
			if (readOnly !== undefined) return undefined;
			readOnly = option !== "rw";
			if (option === "rro") readOnlyRecursive = "always";
		} else if (option === "z" || option === "Z") {
			if (label) return undefined;
			label = true;
		} else if (option === "copy" || option === "nocopy") {
			if (copy !== undefined) return undefined;
			copy = option === "copy";
		} else if (option === "consistent" || option === "cached" || option === "delegated") {
			if (consistency) return undefined;
			consistency = true;
		} else if (option === "idmap" || option.startsWith("idmap=")) {
			if (idMap !== undefined) return undefined;
			idMap = parseIdMap(option.slice("idmap=".length));
		} else if (known !== undefined) {
			if (propagation !== "") return undefined;
			propagation = known;
		} else return undefined;
	}
	return { readOnly: readOnly ?? false, readOnlyRecursive, propagation, copy, idMap };
}

/**
 * A `--mount` request. Whether a bind's source exists is for the caller to see (`missingBindSource`).
 * @throws InvalidParameterError
 */
export function parseMountRequest(request: MountRequest, context: MountContext): ContainerMount {
	checkForeignOptions(request);
	const idMap = request.IdMap === undefined ? undefined : parseIdMap(request.IdMap);
	const fail = (why: string) => new InvalidParameterError(invalidConfig(request.Type, why));
	if (!["bind", "volume", "tmpfs", "image"].includes(request.Type)) throw fail("mount type unknown");
	if ((request.Target ?? "") === "") throw fail("field Target must not be empty");
	const targetFault = faultOfTarget(request.Target);
	if (targetFault !== undefined) throw fail(targetFault);
	if (idMap !== undefined && request.Type !== "bind" && request.Type !== "volume")
		throw fail("field IdMap must not be specified");
	const shared = {
		...(idMap === undefined ? {} : { idMap }),
		source: request.Source ?? "",
		target: cleanPath(request.Target),
		readOnly: request.ReadOnly ?? false,
		readOnlyRecursive: "if-possible",
		recursive: true,
		createSource: false,
		propagation: "",
		mode: "",
		origin: "mounts",
	} as const;
	switch (request.Type) {
		case "bind":
			return { ...shared, type: "bind", ...bindFields(request, context, fail) };
		case "volume":
			return { ...shared, type: "volume", mode: "z", ...volumeFields(request, context, fail) };
		case "tmpfs":
			if (shared.source !== "") throw fail("field Source must not be specified");
			return { ...shared, type: "tmpfs", tmpfs: { options: tmpfsOptions(request, fail) } };
		default:
			if (shared.source === "") throw fail("field Source must not be empty");
			return { ...shared, type: "image", readOnly: true, propagation: "rprivate", ...imageFields(request, fail) };
	}
}

/** The error for a bind whose host path is not there. */
export function missingBindSource(path: string): InvalidParameterError {
	return new InvalidParameterError(invalidConfig("bind", `bind source path does not exist: ${path}`));
}

function checkForeignOptions(request: MountRequest): void {
	const owners = {
		BindOptions: "bind",
		VolumeOptions: "volume",
		ImageOptions: "image",
		TmpfsOptions: "tmpfs",
	} as const;
	for (const field of ["BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions"] as const)
		if ((request[field] ?? null) !== null && request.Type !== owners[field])
			throw new InvalidParameterError(`${field} must not be specified on mount type "${request.Type}"`);
}

type Fail = (why: string) => EngineError;

function bindFields(request: MountRequest, context: MountContext, fail: Fail) {
	const source = request.Source ?? "";
	if (source === "") throw fail("field Source must not be empty");
	const options = request.BindOptions ?? {};
	const wanted = options.Propagation ?? "";
	const propagation = wanted === "" ? "" : PROPAGATIONS.find((name) => name === wanted);
	if (propagation === undefined) throw fail(`invalid propagation mode: ${wanted}`);
	if (!source.startsWith("/")) throw fail(`invalid mount path: '${source}' mount path must be absolute`);
	if (options.ReadOnlyNonRecursive === true && options.ReadOnlyForceRecursive === true)
		throw fail("mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive");
	const path = cleanPath(source);
	return {
		source: path,
		createSource: options.CreateMountpoint ?? false,
		recursive: options.NonRecursive !== true,
		readOnlyRecursive: readOnlyRecursion(options),
		...settlePropagation(propagation, path, context.dataRoot),
	};
}

function readOnlyRecursion(options: NonNullable<MountRequest["BindOptions"]>): ContainerMount["readOnlyRecursive"] {
	if (options.ReadOnlyForceRecursive === true) return "always";
	return options.ReadOnlyNonRecursive === true ? "never" : "if-possible";
}

function volumeFields(request: MountRequest, context: MountContext, fail: Fail) {
	const source = request.Source ?? "";
	const options = request.VolumeOptions ?? {};
	const subpath = options.Subpath ?? "";
	if (source === "" && subpath !== "") throw fail("must not set Subpath when using anonymous volumes");
	if (source === "" && request.ReadOnly === true) throw fail("must not set ReadOnly mode when using anonymous volumes");
	checkSubpath(subpath, "volume", fail);
	return {
		source: source === "" ? context.newVolumeName() : source,
		volume: {
			driver: options.DriverConfig?.Name ?? "",
			anonymous: source === "",
			copy: options.NoCopy !== true,
			subpath,
		},
	};
}

function imageFields(request: MountRequest, fail: Fail) {
	const subpath = request.ImageOptions?.Subpath ?? "";
	checkSubpath(subpath, "image", fail);
	return { image: { subpath } };
}

function checkSubpath(subpath: string, what: string, fail: Fail): void {
	const clean = posix.normalize(subpath || ".");
	if (subpath.startsWith("/") || clean === ".." || clean.startsWith("../"))
		throw fail(`subpath must be a relative path within the ${what}`);
}

function tmpfsOptions(request: MountRequest, fail: Fail): string[] {
	const { SizeBytes = 0, Mode = 0, Options = [] } = request.TmpfsOptions ?? {};
	if (SizeBytes < 0 || Mode < 0) throw fail("the size and the mode of a tmpfs must not be negative");
	const extra = Options.map((pair) => pair.join("="));
	for (const option of extra) if (!checkTmpfsOption(option)) throw fail(`invalid option: ${option}`);
	return [
		...(request.ReadOnly === true ? ["ro"] : []),
		...(Mode === 0 ? [] : [`mode=${Mode.toString(8)}`]),
		...(SizeBytes === 0 ? [] : [`size=${SizeBytes}`]),
		...extra,
	];
}

/** Why a path cannot be mounted at; undefined when it can. */
export function faultOfTarget(target: string): string | undefined {
	if (target.includes("\0")) return "invalid mount path: it has a NUL byte in it";
	if (posix.normalize(target || ".") === "/") return "invalid specification: destination can't be '/'";
	return target.startsWith("/") ? undefined : `invalid mount path: '${target}' mount path must be absolute`;
}

/** No `.`, `..`, doubled or trailing slashes. */
export function cleanPath(path: string): string {
	const clean = posix.normalize(path);
	return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

function settlePropagation(
	wanted: ContainerMount["propagation"],
	source: string,
	dataRoot: string,
): Pick<ContainerMount, "propagation" | "impliedPropagation"> {
	if (wanted !== "") return { propagation: wanted };
	const prefix = source.endsWith("/") ? source : `${source}/`;
	const holdsDataRoot = dataRoot === source || dataRoot.startsWith(prefix);
	return holdsDataRoot ? { propagation: "rslave", impliedPropagation: true } : { propagation: "rprivate" };
}
