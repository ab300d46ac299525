import type { AuthConfig } from "../../api/engine/registry.ts";
import type { ConfigFile } from "../config-file.ts";
import { helperErase, helperGet, helperStore, TOKEN_USER } from "./credential-helper.ts";
import { serverKey } from "./server-address.ts";
import { updateConfigFile } from "./update-config-file.ts";

/** The logins that `config.json` has or names a helper for. Shared with docker: either sees the other's. */
export class Credentials {
	constructor(
		readonly config: ConfigFile,
		readonly configFolder: string,
	) {}

	/** The helper for a server; undefined: logins are kept in the file itself. */
	helperOf(server: string): string | undefined {
		return this.config.credHelpers?.[server] || this.config.credsStore || undefined;
	}

	/** @param server as `serverKey` has it. @returns undefined when nobody is logged in there */
	async find(server: string): Promise<AuthConfig | undefined> {
		const helper = this.helperOf(server);
		if (helper === undefined) return this.#fromFile(server);
		const found = await helperGet(helper, server);
		if (found === undefined) return undefined;
		return found.Username === TOKEN_USER
			? { identitytoken: found.Secret, serveraddress: server }
			: { username: found.Username, password: found.Secret, serveraddress: server };
	}

	/** @returns where an unprotected password now lies that did not lie there before, for a warning */
	async keep(server: string, auth: AuthConfig): Promise<string | undefined> {
		const { username = "", password = "", identitytoken = "" } = auth;
		const helper = this.helperOf(server);
		if (helper !== undefined) {
			const isToken = identitytoken !== "";
			await helperStore(helper, {
				ServerURL: server,
				Username: isToken ? TOKEN_USER : username,
				Secret: isToken ? identitytoken : password,
			});
			await this.#setEntry(server, {});
			return undefined;
		}
		const pair = Buffer.from(`${username}:${password}`).toString("base64");
		const entry = { auth: pair, ...(identitytoken === "" ? {} : { identitytoken }) };
		const stored = this.config.auths?.[server];
		if (stored?.auth === entry.auth && stored.identitytoken === entry.identitytoken) return undefined;
		await this.#setEntry(server, entry);
		return `${this.configFolder}/config.json`;
	}

	async forget(server: string): Promise<void> {
		const keys = Object.keys(this.config.auths ?? {}).filter((key) => serverKey(key) === server);
		const helper = this.helperOf(server);
		if (helper !== undefined) await helperErase(helper, server);
		if (keys.length > 0)
			await updateConfigFile(this.configFolder, (config) => {
				for (const key of keys) delete config.auths?.[key];
			});
	}

	#fromFile(server: string): AuthConfig | undefined {
		const auths = this.config.auths ?? {};
		const key = Object.hasOwn(auths, server) ? server : Object.keys(auths).find((name) => serverKey(name) === server);
		const entry = key === undefined ? undefined : auths[key];
		if (entry?.identitytoken) return { identitytoken: entry.identitytoken, serveraddress: server };
		if (!entry?.auth) return undefined;
		const pair = Buffer.from(entry.auth, "base64").toString();
		const colon = pair.indexOf(":");
		if (colon < 0) throw new Error("Error loading config file: invalid auth configuration file");
		return {
			username: pair.slice(0, colon),
			password: pair.slice(colon + 1).replace(/\0+$/, ""),
			serveraddress: server,
		};
	}

	#setEntry(server: string, entry: { auth?: string; identitytoken?: string }): Promise<void> {
		return updateConfigFile(this.configFolder, (config) => {
			config.auths = { ...config.auths, [server]: entry };
		});
	}
}
