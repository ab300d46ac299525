import { errnoCode, errorMessage } from "../base/errors.ts";

/** The parts of `config.json` that commands use; the file belongs to docker's tools and is only read. */
export interface ConfigFile {
	HttpHeaders?: Record<string, string>;
	detachKeys?: string;
	psFormat?: string;
	imagesFormat?: string;
	networksFormat?: string;
	volumesFormat?: string;
	statsFormat?: string;
	currentContext?: string;
	auths?: Record<string, { auth?: string; identitytoken?: string }>;
	credHelpers?: Record<string, string>;
	credsStore?: string;
	proxies?: Record<string, Record<string, string>>;
}

/** A missing file is an empty one. A malformed one is reported through `warn` and ignored, as docker does. */
export async function readConfigFile(folder: string, warn: (message: string) => void): Promise<ConfigFile> {
	const path = `${folder}/config.json`;
	try {
		const config: unknown = await Bun.file(path).json();
		return typeof config === "object" && config !== null ? config : {};
	} catch (error) {
		if (errnoCode(error) !== "ENOENT" && errnoCode(error) !== "ENOTDIR")
			warn(`WARNING: Error loading config file: ${path}: ${errorMessage(error)}`);
		return {};
	}
}
