/** Networks that are a configuration for others (`--config-only`, `--config-from`). Pure. */
import type { NetworkCreateRequest } from "../../api/engine/network.ts";
import { ForbiddenError, NotFoundError } from "../../base/errors.ts";
import type { NetworkRecord } from "./network-record.ts";
import { shownAsGiven } from "./subnet-plan.ts";

/** @throws ForbiddenError for fields that say how a network is used, not how it is made */
export function configurationRecord(id: string, createdAt: number, request: NetworkCreateRequest): NetworkRecord {
	if ((request.ConfigFrom?.Network ?? "") !== "")
		throw new ForbiddenError("a configuration network cannot depend on another configuration network");
	if (
		request.Ingress === true ||
		request.Internal === true ||
		request.Attachable === true ||
		(request.Scope ?? "") !== ""
	)
		throw new ForbiddenError(
			"configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
		);
	return {
		id,
		name: request.Name,
		createdAt,
		driver: "null",
		enableIpv4: request.EnableIPv4 ?? true,
		enableIpv6: request.EnableIPv6 ?? false,
		internal: false,
		attachable: false,
		labels: { ...request.Labels },
		options: { ...request.Options },
		ipam: (request.IPAM?.Config ?? []).map(shownAsGiven),
		...(request.IPAM?.Driver ? { ipamDriver: request.IPAM.Driver } : {}),
		ipamOptions: request.IPAM?.Options ?? null,
		configOnly: true,
	};
}

/**
 * The request with everything that its configuration network says.
 * @throws NotFoundError without such a network, ForbiddenError when the request says something of its own
 */
export function withConfiguration(
	request: NetworkCreateRequest,
	existing: readonly NetworkRecord[],
): NetworkCreateRequest {
	const name = request.ConfigFrom?.Network ?? "";
	if (name === "") return request;
	checkBare(request);
	const source = existing.find((record) => record.name === name && record.configOnly === true);
	if (source === undefined) throw new NotFoundError(`configuration network "${name}" does not exist`);
	return {
		...request,
		EnableIPv4: source.enableIpv4,
		EnableIPv6: source.enableIpv6,
		Labels: { ...source.labels },
		Options: { ...source.options },
		IPAM: {
			Driver: source.ipamDriver ?? "default",
			Options: source.ipamOptions === undefined || source.ipamOptions === null ? null : { ...source.ipamOptions },
			Config: source.ipam.map(({ subnet, range, gateway, auxiliary }) => ({
				Subnet: subnet,
				...(range === undefined ? {} : { IPRange: range }),
				...(gateway === undefined ? {} : { Gateway: gateway }),
				...(auxiliary === undefined ? {} : { AuxiliaryAddresses: { ...auxiliary } }),
			})),
		},
	};
}

function checkBare({ IPAM, EnableIPv4, EnableIPv6, Labels, Options }: NetworkCreateRequest): void {
	const isOwn =
		!["", "default"].includes(IPAM?.Driver ?? "") ||
		EnableIPv4 === false ||
		EnableIPv6 === true ||
		[Labels, IPAM?.Options, IPAM?.Config].some((each) => Object.keys(each ?? {}).length > 0);
	if (isOwn)
		throw new ForbiddenError(
			"user specified configurations are not supported if the network depends on a configuration network",
		);
	if (Object.keys(Options ?? {}).length > 0)
		throw new ForbiddenError(
			"network driver options are not supported if the network depends on a configuration network",
		);
}
