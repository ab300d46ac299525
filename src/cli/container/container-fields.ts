import type { ContainerSummary, PortSummary } from "../../api/engine/container.ts";
import { humanSize } from "../../base/units.ts";
import { ellipsis, humanAge, localTime, truncateId } from "../formatter/human.ts";
import { type Fields, joinLabels } from "../formatter/rows.ts";

/** The columns of `ps`. `isTruncated`: shorten what is long. */
export function containerFields(isTruncated: boolean): Fields<ContainerSummary> {
	const cuttable = { leastWidth: isTruncated ? 8 : undefined };
	return {
		ID: { header: "CONTAINER ID", value: ({ Id }) => (isTruncated ? truncateId(Id) : Id) },
		Names: { header: "NAMES", value: ({ Names }) => containerNames(Names, isTruncated) },
		Image: { header: "IMAGE", value: (container) => imageName(container, isTruncated), ...cuttable },
		Command: {
			header: "COMMAND",
			value: ({ Command }) => JSON.stringify(isTruncated ? ellipsis(Command, 20) : Command),
			...cuttable,
		},
		CreatedAt: { header: "CREATED AT", value: ({ Created }) => localTime(Created) },
		RunningFor: { header: "CREATED", value: ({ Created }) => humanAge(Created), ...cuttable },
		Ports: { header: "PORTS", value: ({ Ports }) => displayPorts(Ports ?? []), ...cuttable },
		State: { header: "STATE", value: ({ State }) => State },
		Status: { header: "STATUS", value: ({ Status }) => Status, ...cuttable },
		Size: { header: "SIZE", value: displaySize, ...cuttable },
		Labels: { header: "LABELS", value: ({ Labels }) => joinLabels(Labels) },
		Label: {
			header: "LABEL",
			value:
				({ Labels }) =>
				(name: string) =>
					Labels?.[name] ?? "",
			isHidden: true,
		},
		Mounts: {
			header: "MOUNTS",
			value: ({ Mounts }) => (Mounts ?? []).map(({ Name, Source }) => shorten(Name || Source, isTruncated)).join(","),
		},
		LocalVolumes: {
			header: "LOCAL VOLUMES",
			value: ({ Mounts }) => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
		},
		Networks: {
			header: "NETWORKS",
			value: ({ NetworkSettings }) =>
				Object.keys(NetworkSettings?.Networks ?? {})
					.sort()
					.join(","),
		},
		Platform: { header: "PLATFORM", value: () => null },
	};
}

function shorten(text: string, isTruncated: boolean): string {
	return isTruncated ? ellipsis(text, 15) : text;
}

/** Names other containers know it by (`/web/db`) are only shown in full output. */
function containerNames(names: readonly string[] | null, isTruncated: boolean): string {
	const plain = (names ?? []).map((name) => name.replace(/^\//, ""));
	return (isTruncated ? plain.filter((name) => !name.includes("/")) : plain).join(",");
}

function imageName({ Image, ImageID }: ContainerSummary, isTruncated: boolean): string {
	if (Image === "") return "<no image>";
	if (!isTruncated) return Image;
	if (Image === ImageID) return truncateId(Image);
	const digest = Image.indexOf("@");
	if (digest < 0) return Image;
	return Image.slice(0, digest);
}

function displaySize({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
	const written = humanSize(SizeRw);
	return SizeRootFs > 0 ? `${written} (virtual ${humanSize(SizeRootFs)})` : written;
}

interface PortGroup {
	first: number;
	last: number;
	port: PortSummary;
}

/** `0.0.0.0:8000-8002->8000-8002/tcp, 90/udp`: ports in a row are put together where they are published under their own number. */
export function displayPorts(ports: readonly PortSummary[]): string {
	const groups = new Map<string, PortGroup>();
	const texts: string[] = [];
	const mappings: string[] = [];
	for (const port of ports.toSorted(comparePorts)) {
		if (port.IP && port.PublicPort !== port.PrivatePort) {
			mappings.push(`${hostPort(port.IP, String(port.PublicPort))}->${port.PrivatePort}/${port.Type}`);
			continue;
		}
		const key = `${port.IP ?? ""}/${port.Type}`;
		const group = groups.get(key);
		if (group !== undefined && port.PrivatePort === group.last + 1) {
			group.last++;
			continue;
		}
		if (group !== undefined) texts.push(displayGroup(group));
		groups.set(key, { first: port.PrivatePort, last: port.PrivatePort, port });
	}
	return [...texts, ...[...groups.values()].map(displayGroup), ...mappings].join(", ");
}

function displayGroup({ first, last, port }: PortGroup): string {
	const range = first === last ? String(first) : `${first}-${last}`;
	return `${port.IP ? `${hostPort(port.IP, range)}->` : ""}${range}/${port.Type}`;
}

function hostPort(address: string, port: string): string {
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function comparePorts(a: PortSummary, b: PortSummary): number {
	return (
		a.PrivatePort - b.PrivatePort ||
		compareTexts(a.IP ?? "", b.IP ?? "") ||
		(a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
		compareTexts(a.Type, b.Type)
	);
}

function compareTexts(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
