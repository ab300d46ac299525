import type { ContainerSummary } from "../../api/engine/container.ts";
import { type ApiVersion, atLeast } from "../../api/engine/version.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type MountLocations, viewMounts } from "./mount-view.ts";
import { type NetworkView, viewEndpoints, viewPortSummaries } from "./network-view.ts";
import { statusName, statusText } from "./status.ts";

export interface SummaryContext extends Pick<NetworkView, "networkId"> {
	readonly version: ApiVersion;
	/** Milliseconds since the epoch. */
	readonly now: number;
	readonly locations: MountLocations;
	/** Names of links that point to it (`/other/alias`). */
	readonly linkNames?: readonly string[];
	/** What to call the image: its reference, or its ID when the reference names another image by now. */
	readonly image: string;
	/** Asked for with `size=1`. */
	readonly size?: { readonly writableBytes: number; readonly totalBytes: number };
}

/** One entry of `GET /containers/json`. */
export function summaryView(record: ContainerRecord, context: SummaryContext): ContainerSummary {
	const { version, now, size } = context;
	const { lifecycle, health, hostConfig } = record;
	const annotations = hostConfig.Annotations ?? {};
	return {
		Id: record.id,
		Names: [`/${record.name}`, ...(context.linkNames ?? [])],
		Image: context.image,
		ImageID: record.imageId,
		Command: commandText(record),
		Created: Math.floor(record.createdAt / 1000),
		Ports: viewPortSummaries(record),
		...(size === undefined ? {} : sizes(size)),
		Labels: { ...record.config.Labels },
		State: statusName(lifecycle),
		Status: statusText(lifecycle, health, now),
		HostConfig: {
			NetworkMode: hostConfig.NetworkMode ?? "",
			...(atLeast(version, 46) && Object.keys(annotations).length > 0 ? { Annotations: annotations } : {}),
		},
		NetworkSettings: { Networks: viewEndpoints(record, { ...context, sandboxKey: "" }) },
		Mounts: viewMounts(record, context.locations),
		...(atLeast(version, 52)
			? { Health: { Status: health?.status ?? "none", FailingStreak: health?.failingStreak ?? 0 } }
			: {}),
	};
}

/** Zero bytes are left out, as everywhere in Go's `omitempty`. */
function sizes({ writableBytes, totalBytes }: NonNullable<SummaryContext["size"]>): Partial<ContainerSummary> {
	return {
		...(writableBytes === 0 ? {} : { SizeRw: writableBytes }),
		...(totalBytes === 0 ? {} : { SizeRootFs: totalBytes }),
	};
}

/** The command line; arguments with spaces are quoted, for people to read. */
function commandText({ config }: ContainerRecord): string {
	const [path = "", ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
	const quoted = args.map((argument) => (argument.includes(" ") ? `'${argument}'` : argument));
	return [path, ...quoted].join(" ");
}
