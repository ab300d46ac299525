import type { ContainerRecord } from "../../core/container/container-record.ts";
import { dnsNames } from "../../core/container/network-view.ts";
import type { NetworkSandbox } from "../../core/network/driver.ts";
import { parseLink } from "../../core/network/links.ts";
import type { NameServer, ResolverSettings } from "../../core/network/name-server.ts";
import type { NameTable } from "../../core/network/name-table.ts";
import { isPredefinedNetwork } from "../../core/network/network-record.ts";
import type { AttachedEndpoint, Gateways } from "./network-plan.ts";

export interface ContainerNamesDependencies {
	readonly table: NameTable;
	readonly server: NameServer;
}

/** What the daemon's configuration says of names. */
export interface ContainerNamesSettings {
	/** `dns`: servers of containers that have none of their own. */
	readonly nameservers: readonly string[];
	/** `dns-opts` */
	readonly options: readonly string[];
}

/** The names of running containers on user-defined networks, and the name servers in their sandboxes. */
export class ContainerNames {
	readonly #deps: ContainerNamesDependencies;
	readonly #settings: ContainerNamesSettings;

	constructor(deps: ContainerNamesDependencies, settings: ContainerNamesSettings) {
		this.#deps = deps;
		this.#settings = settings;
	}

	/** Whether a container has the embedded server: on any network but the default one. */
	static serves(attached: readonly AttachedEndpoint[]): boolean {
		return attached.some(({ network }) => !isPredefinedNetwork(network.name));
	}

	/** Makes the container's names known as its endpoints stand now, and serves it. */
	async open(
		record: ContainerRecord,
		sandbox: NetworkSandbox,
		{ attached, gateways }: { readonly attached: readonly AttachedEndpoint[]; readonly gateways: Gateways },
	): Promise<void> {
		this.announce(record, attached);
		if (ContainerNames.serves(attached)) await this.#deps.server.open(sandbox, this.#resolver(record, gateways));
		else this.#deps.server.close(record.id);
	}

	/** Again after a change of the container's name. */
	announce(record: ContainerRecord, attached: readonly AttachedEndpoint[]): void {
		for (const { network, requested, assigned } of attached) {
			const links = (requested.Links ?? []).map(parseLink).map(({ alias, target }) => [alias.toLowerCase(), target]);
			this.#deps.table.add({
				endpointId: assigned.endpointId,
				containerId: record.id,
				networkId: network.id,
				networkName: network.name,
				names: dnsNames(requested, record),
				address: assigned.address,
				address6: assigned.address6 ?? "",
				links: Object.fromEntries(links),
				hostOnly: isPredefinedNetwork(network.name),
			});
		}
	}

	withdraw(endpointId: string): void {
		this.#deps.table.remove(endpointId);
	}

	/** The sandbox goes away. */
	close(containerId: string): void {
		this.#deps.server.close(containerId);
	}

	#resolver({ hostConfig }: ContainerRecord, gateways: Gateways): ResolverSettings {
		const own = hostConfig.Dns ?? [];
		const servers = own.length > 0 ? own : this.#settings.nameservers;
		const options = (hostConfig.DnsOptions ?? []).length > 0 ? (hostConfig.DnsOptions ?? []) : this.#settings.options;
		const hasWayOut = gateways.v4 !== undefined || gateways.v6 !== undefined;
		return {
			upstream:
				servers.length > 0 ? { kind: "servers", addresses: servers } : hasWayOut ? { kind: "host" } : { kind: "none" },
			keepsSingleLabels: options.some((option) => /^ndots:[1-9]/.test(option)),
		};
	}
}
