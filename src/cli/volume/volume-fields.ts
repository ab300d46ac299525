import type { Volume } from "../../api/engine/volume.ts";
import { preciseSize } from "../formatter/human.ts";
import { type Fields, joinLabels } from "../formatter/rows.ts";

const NOT_KNOWN = "N/A";

export const VOLUME_FIELDS: Fields<Volume> = {
	Name: { header: "VOLUME NAME", value: ({ Name }) => Name },
	Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
	Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
	Mountpoint: { header: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
	Labels: { header: "LABELS", value: ({ Labels }) => joinLabels(Labels) },
	Label: {
		header: "LABEL",
		value:
			({ Labels }) =>
			(name: string) =>
				Labels?.[name] ?? "",
		isHidden: true,
	},
	Links: {
		header: "LINKS",
		value: ({ UsageData }) => (UsageData === undefined ? NOT_KNOWN : String(UsageData.RefCount)),
	},
	Size: {
		header: "SIZE",
		value: ({ UsageData }) => (UsageData === undefined ? NOT_KNOWN : preciseSize(UsageData.Size)),
	},
	// Of cluster volumes only.
	Availability: { header: "AVAILABILITY", value: () => NOT_KNOWN },
	Group: { header: "GROUP", value: () => NOT_KNOWN },
	Status: { header: "STATUS", value: () => NOT_KNOWN },
};
