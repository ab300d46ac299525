import type { ImageConfig } from "../../api/oci/image.ts";
import { isDigest } from "../../base/digest.ts";
import { InvalidParameterError } from "../../base/errors.ts";

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => typeof value === "number";
const isTable = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);
const listOf =
	(check: Check): Check =>
	(value) =>
		Array.isArray(value) && value.every(check);
const tableOf =
	(check: Check): Check =>
	(value) =>
		isTable(value) && Object.values(value).every(check);

/** Fields that the engine reads; others pass as they are. `null` is as good as absent. */
const CONFIG_FIELDS: Readonly<Record<string, Check>> = {
	User: isText,
	WorkingDir: isText,
	StopSignal: isText,
	Hostname: isText,
	Domainname: isText,
	Tty: isFlag,
	ArgsEscaped: isFlag,
	StopTimeout: isNumber,
	Env: listOf(isText),
	Cmd: listOf(isText),
	Entrypoint: listOf(isText),
	OnBuild: listOf(isText),
	Shell: listOf(isText),
	Labels: tableOf(isText),
	ExposedPorts: tableOf(isTable),
	Volumes: tableOf(isTable),
	Healthcheck: (value) => isTable(value) && checkFields(value, HEALTH_FIELDS) === undefined,
};

const HEALTH_FIELDS: Readonly<Record<string, Check>> = {
	Test: listOf(isText),
	Interval: isNumber,
	Timeout: isNumber,
	StartPeriod: isNumber,
	StartInterval: isNumber,
	Retries: isNumber,
};

const HISTORY_FIELDS: Readonly<Record<string, Check>> = {
	created: isText,
	created_by: isText,
	author: isText,
	comment: isText,
	empty_layer: isFlag,
};

const IMAGE_FIELDS: Readonly<Record<string, Check>> = {
	created: isText,
	author: isText,
	comment: isText,
	architecture: isText,
	os: isText,
	variant: isText,
	"os.version": isText,
	docker_version: isText,
	history: listOf((value) => isTable(value) && checkFields(value, HISTORY_FIELDS) === undefined),
	config: (value) => isTable(value) && checkFields(value, CONFIG_FIELDS) === undefined,
};

/**
 * An image's configuration from outside, as far as it is safe to rely on: what is there has the type it must have.
 * @throws InvalidParameterError naming the first field that has not
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
	let value: unknown;
	try {
		value = JSON.parse(Buffer.from(bytes).toString("utf8"));
	} catch (cause) {
		throw new InvalidParameterError("invalid image config: not JSON", { cause });
	}
	if (!isTable(value) || !isTable(value["rootfs"]))
		throw new InvalidParameterError("invalid image JSON, no RootFS key");
	const wrong = checkFields(value, IMAGE_FIELDS);
	const detail =
		wrong === "config" && isTable(value["config"]) ? checkFields(value["config"], CONFIG_FIELDS) : undefined;
	if (wrong !== undefined)
		throw new InvalidParameterError(
			`invalid image config: ${detail === undefined ? wrong : `config.${detail}`} has the wrong type`,
		);
	const diffIds = value["rootfs"]["diff_ids"] ?? [];
	if (!Array.isArray(diffIds) || !diffIds.every((id) => isText(id) && isDigest(id)))
		throw new InvalidParameterError("invalid image config: rootfs.diff_ids is no list of digests");
	const present = Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
	return { architecture: "", os: "linux", ...present, rootfs: { type: "layers", diff_ids: diffIds } };
}

function checkFields(table: Record<string, unknown>, checks: Readonly<Record<string, Check>>): string | undefined {
	return Object.entries(checks).find(([name, check]) => {
		const value = table[name];
		return value !== undefined && value !== null && !check(value);
	})?.[0];
}
