import type { EndpointSettings } from "../../api/engine/container.ts";
import type { Filters } from "../../api/engine/filters.ts";
import type { NetworkCreateRequest, NetworkInspect } from "../../api/engine/network.ts";
import type { NetworkConnector } from "./network-connector.ts";
import type { NetworkService } from "./network-service.ts";

/** The network side of the Engine API: networks themselves, and containers on them. */
export class NetworkOperations {
	constructor(
		private readonly networks: NetworkService,
		private readonly connector: NetworkConnector,
	) {}

	list(filters: Filters): Promise<NetworkInspect[]> {
		return this.networks.list(filters);
	}

	inspect(name: string, options: { readonly verbose: boolean; readonly scope: string }): Promise<NetworkInspect> {
		return this.networks.inspect(name, options);
	}

	create(request: NetworkCreateRequest): Promise<{ Id: string; Warning: string }> {
		return this.networks.create(request);
	}

	remove(name: string): Promise<void> {
		return this.networks.remove(name);
	}

	prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }> {
		return this.networks.prune(filters);
	}

	connect(network: string, container: string, settings: EndpointSettings | undefined): Promise<void> {
		return this.connector.connect(network, container, settings);
	}

	disconnect(network: string, container: string, force: boolean): Promise<void> {
		return this.connector.disconnect(network, container, force);
	}
}
