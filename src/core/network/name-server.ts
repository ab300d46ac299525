/** The port of the embedded name server, which every container on a user-defined network has at 127.0.0.11. */
import type { NetworkSandbox } from "./driver.ts";

export const NAME_SERVER_ADDRESS = "127.0.0.11";

/** What a sandbox's queries are answered with; `NameTable` is one. Asked for each query, so that changes count at once. */
export interface NameDirectory {
	/** @returns undefined when nobody is called so; empty when somebody is, without an address of the family */
	resolve(containerId: string, name: string, family: 4 | 6): readonly string[] | undefined;
	reverse(containerId: string, address: string): string | undefined;
}

/** What the host may ask for: every container's names, whatever its networks. */
export interface HostNameDirectory {
	/** `container` or `container.network`. @returns undefined when nobody is called so */
	resolveAnywhere(name: string, family: 4 | 6): readonly string[] | undefined;
	/** `container.network` behind an address. @throws InvalidParameterError */
	reverseAnywhere(address: string): string | undefined;
}

export interface ResolverSettings {
	/**
	 * Who is asked for all other names. `host`: the host's own servers, asked from the host. A list: servers the user chose,
	 * asked from the container's own network. `none`: a container that reaches nothing outside.
	 */
	readonly upstream: { readonly kind: "host" } | { readonly kind: "none" } | UserServers;
	/** Names without a dot are not asked outside, since the client's search list comes first (`ndots` above 0). */
	readonly keepsSingleLabels: boolean;
}

export interface UserServers {
	readonly kind: "servers";
	readonly addresses: readonly string[];
}

export interface NameServer {
	/** Serves a sandbox, or changes its settings. Idempotent. @throws SystemError */
	open(sandbox: NetworkSandbox, settings: ResolverSettings): Promise<void>;
	/** Closes the sockets of a sandbox, which would keep its namespace alive. Idempotent. */
	close(containerId: string): void;
	/** Closes everything; running containers have no names until the next daemon serves them. */
	closeAll(): void;
}
