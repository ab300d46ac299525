import { InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ContainerHostFiles, NetworkFiles } from "../../core/container/host-files.ts";
import { isRunning } from "../../core/container/state.ts";
import { type HostsEntry, ownHostsEntry, parseExtraHosts, renderHostsFile } from "../../core/network/hosts-file.ts";
import { linkEnvironment, linkHostsEntry, parseLink } from "../../core/network/links.ts";
import { NAME_SERVER_ADDRESS } from "../../core/network/name-server.ts";
import { parseResolvConf, renderResolvConf, resolvConfForContainer } from "../../core/network/resolv-conf.ts";
import type { ContainerRegistry } from "../container/registry.ts";
import { ContainerNames } from "./container-names.ts";
import type { ContainerNetworking } from "./container-networking.ts";
import type { AttachedEndpoint, NetworkPlan } from "./network-plan.ts";

/** `dns`, `dns-search`, `dns-opts` and `host-gateway-ip` of the daemon's configuration. */
export interface NameSettings {
	readonly nameservers: readonly string[];
	readonly search: readonly string[];
	readonly options: readonly string[];
	readonly hostGateways: readonly string[];
}

export interface NetworkFilesDependencies {
	readonly registry: ContainerRegistry;
	readonly networking: ContainerNetworking;
	readonly files: ContainerHostFiles;
}

interface LinkTarget {
	readonly hosts: HostsEntry;
	readonly environment: readonly string[];
}

/** Contents of a container's hosts, hostname and resolv.conf, written anew at each start. */
export class NetworkFilesWriter {
	readonly #deps: NetworkFilesDependencies;
	readonly #settings: NameSettings;

	constructor(deps: NetworkFilesDependencies, settings: NameSettings) {
		this.#deps = deps;
		this.#settings = settings;
	}

	/** @returns variables that links add. @throws InvalidParameterError, SystemError for a link to a container that does not run, or is elsewhere */
	write(record: ContainerRecord, plan: NetworkPlan): string[] {
		// On other networks links are names that the name server knows.
		const isOnDefault = record.endpoints["bridge"] !== undefined;
		const links = isOnDefault ? (record.hostConfig.Links ?? []).map((text) => this.#link(record, text)) : [];
		this.#deps.files.writeNetworkFiles(record.id, {
			hosts: this.#hosts(record, plan, links),
			hostname: `${record.config.Hostname ?? ""}\n`,
			resolvConf: this.#resolvConf(record, plan),
		} satisfies NetworkFiles);
		return links.flatMap(({ environment }) => [...environment]);
	}

	/**
	 * A running container has got an endpoint or lost one: its own lines come and go, everything else in the files stays as the
	 * container left it.
	 * @param before its networks before the change
	 */
	rewrite(record: ContainerRecord, before: NetworkPlan, after: NetworkPlan): void {
		const { files } = this.#deps;
		const linesOf = (plan: NetworkPlan) =>
			plan.attached.flatMap((endpoint) => ownEntries(record, endpoint)).map((entry) => renderEntries([entry]));
		const gone = linesOf(before).filter((line) => !linesOf(after).includes(line));
		const added = linesOf(after).filter((line) => !linesOf(before).includes(line));
		files.editNetworkFile(record.id, "hosts", (text) => {
			const kept = gone.reduce((rest, line) => rest.replace(line, ""), text);
			return added.length === 0 ? kept : `${kept.replace(/\n?$/, "\n")}${added.join("")}`;
		});
		const [old, wanted] = [this.#resolvConf(record, before), this.#resolvConf(record, after)];
		// One that the container edited is its own from then on.
		if (old !== wanted) files.editNetworkFile(record.id, "resolvConf", (text) => (text === old ? wanted : text));
	}

	#hosts(record: ContainerRecord, plan: NetworkPlan, links: readonly LinkTarget[]): string {
		const { hostConfig } = record;
		const gateways =
			this.#settings.hostGateways.length > 0 ? this.#settings.hostGateways : this.#deps.networking.hostGateways(plan);
		const extra = parseExtraHosts(hostConfig.ExtraHosts ?? [], gateways);
		if (hostConfig.NetworkMode === "host")
			return `${this.#deps.files.hostHosts().replace(/\n?$/, "\n")}${renderEntries(extra)}`;
		const own = plan.attached.flatMap((endpoint) => ownEntries(record, endpoint));
		return renderHostsFile([...links.map(({ hosts }) => hosts), ...extra, ...own]);
	}

	#resolvConf(record: ContainerRecord, plan: NetworkPlan): string {
		const { hostConfig } = record;
		const first = (own: readonly string[] | null | undefined, daemon: readonly string[]) =>
			own !== null && own !== undefined && own.length > 0 ? own : daemon;
		const host = parseResolvConf(this.#deps.files.hostResolvConf());
		const settled = resolvConfForContainer(host, {
			overrides: {
				nameservers: first(hostConfig.Dns, this.#settings.nameservers),
				search: first(hostConfig.DnsSearch, this.#settings.search),
				options: first(hostConfig.DnsOptions, this.#settings.options),
			},
			sharesHostNetwork: hostConfig.NetworkMode === "host",
			hasIpv6: plan.attached.some(({ assigned }) => assigned.address6 !== undefined),
			...(ContainerNames.serves(plan.attached) ? { embeddedServer: NAME_SERVER_ADDRESS } : {}),
		});
		return renderResolvConf(settled);
	}

	#link(record: ContainerRecord, text: string): LinkTarget {
		const link = parseLink(text);
		const other = this.#deps.registry.resolve(link.target);
		if (!isRunning(other.lifecycle))
			throw new InvalidParameterError(
				`Cannot link to a non running container: /${other.name} AS /${record.name}/${link.alias}`,
			);
		const address = other.endpoints["bridge"]?.assigned?.address ?? "";
		if (address === "") throw new SystemError(`container ${other.id} not attached to default bridge network`);
		return {
			hosts: linkHostsEntry(link, other, address),
			environment: linkEnvironment(link, other, address, record.name),
		};
	}
}

function ownEntries({ config }: ContainerRecord, { assigned }: AttachedEndpoint): HostsEntry[] {
	return [assigned.address, assigned.address6 ?? ""]
		.filter((address) => address !== "")
		.map((address) => ownHostsEntry(address, config.Hostname ?? "", config.Domainname ?? ""));
}

function renderEntries(entries: readonly HostsEntry[]): string {
	return entries.map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("");
}
