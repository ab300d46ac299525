/** What `update --publish-add` and `--publish-rm` make of a container's ports. Pure. */
import type { ContainerUpdateRequest, PortBinding, PortMap } from "../../api/engine/container.ts";
import { ConflictError, InvalidParameterError } from "../../base/errors.ts";
import type { PortMapping } from "../network/driver.ts";
import type { ContainerRecord } from "./container-record.ts";
import { containerOfMode } from "./namespace-mode.ts";
import { formatPort, normalisePortBindings } from "./ports.ts";

export interface PortUpdate {
	/** Of the record, after removal and after both. */
	readonly withoutRemoved: PortMap;
	readonly bindings: PortMap;
	/** To be bound. */
	readonly added: PortMap;
	/** Of the running container's ports those that go. */
	readonly removed: readonly PortMapping[];
}

/**
 * @returns undefined when the request says nothing about ports
 * @throws InvalidParameterError, ConflictError
 */
export function planPortUpdate(record: ContainerRecord, request: ContainerUpdateRequest): PortUpdate | undefined {
	const added = normalisePortBindings(request.PublishAdd);
	const wanted = normalisePortBindings(request.PublishRm);
	if (Object.keys(added).length === 0 && Object.keys(wanted).length === 0) return undefined;
	const { NetworkMode = "" } = record.hostConfig;
	if (NetworkMode === "host" || containerOfMode(NetworkMode) !== undefined)
		throw new ConflictError(
			`Cannot update container ${record.id}: it shares another network and publishes no ports of its own`,
		);
	const removed = record.mappings.filter((mapping) => matches(wanted, mapping));
	const current = normalisePortBindings(record.hostConfig.PortBindings);
	const withoutRemoved = withoutBindings(current, wanted, removed);
	const isFound = (key: string) =>
		removed.some((mapping) => keyOf(mapping) === key) ||
		(withoutRemoved[key]?.length ?? 0) < (current[key]?.length ?? 0);
	for (const key of Object.keys(wanted))
		if (!isFound(key)) throw new InvalidParameterError(`port ${describe(key, wanted[key])} is not published`);
	const bindings: PortMap = { ...withoutRemoved };
	for (const [key, list] of Object.entries(added)) bindings[key] = [...(bindings[key] ?? []), ...(list ?? [])];
	return { withoutRemoved, bindings, added, removed };
}

const keyOf = ({ containerPort, protocol }: PortMapping) => formatPort({ port: containerPort, protocol });

function matches(wanted: PortMap, mapping: PortMapping): boolean {
	const list = wanted[keyOf(mapping)];
	if (list === undefined || list === null) return false;
	return selectors(list).some(
		({ HostIp = "", HostPort = "" }) =>
			(HostIp === "" || HostIp === mapping.hostAddress) && (HostPort === "" || HostPort === String(mapping.hostPort)),
	);
}

/** No binding at all means any. */
function selectors(list: readonly PortBinding[]): readonly PortBinding[] {
	return list.length === 0 ? [{}] : list;
}

/** A binding that asked for any port is told by the port that it got. */
function withoutBindings(current: PortMap, wanted: PortMap, removed: readonly PortMapping[]): PortMap {
	const left: PortMap = {};
	for (const [key, list] of Object.entries(current)) {
		const selected = wanted[key];
		const kept = (list ?? []).filter(
			(binding) =>
				selected === undefined || selected === null || !isSelected(binding, selectors(selected), key, removed),
		);
		if (kept.length > 0) left[key] = kept;
	}
	return left;
}

function isSelected(
	{ HostIp = "", HostPort = "" }: PortBinding,
	selected: readonly PortBinding[],
	key: string,
	removed: readonly PortMapping[],
): boolean {
	const isFixed = /^\d+$/.test(HostPort) && HostPort !== "0";
	return selected.some(
		(wanted) =>
			((wanted.HostIp ?? "") === "" || wanted.HostIp === HostIp) &&
			((wanted.HostPort ?? "") === "" ||
				wanted.HostPort === HostPort ||
				(!isFixed &&
					removed.some((mapping) => keyOf(mapping) === key && String(mapping.hostPort) === wanted.HostPort))),
	);
}

function describe(key: string, list: readonly PortBinding[] | null | undefined): string {
	const [first] = list ?? [];
	const host = [first?.HostIp ?? "", first?.HostPort ?? ""].filter((part) => part !== "").join(":");
	return host === "" ? key : `${host}->${key}`;
}
