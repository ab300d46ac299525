import type { ImageSummary } from "../../api/engine/image.ts";
import { humanSize } from "../../base/units.ts";
import { humanAge, localTime, preciseSize, truncateId } from "../formatter/human.ts";
import type { Fields } from "../formatter/rows.ts";

const NONE = "<none>";

/** A line of `images`: one name of an image. */
export interface ImageRow {
	image: ImageSummary;
	repository: string;
	tag: string;
	digest: string;
}

export function imageFields(isTruncated: boolean): Fields<ImageRow> {
	return {
		ID: { header: "IMAGE ID", value: ({ image }) => (isTruncated ? truncateId(image.Id) : image.Id) },
		Repository: {
			header: "REPOSITORY",
			value: ({ repository }) => repository,
			leastWidth: isTruncated ? 20 : undefined,
		},
		Tag: { header: "TAG", value: ({ tag }) => tag },
		Digest: { header: "DIGEST", value: ({ digest }) => digest },
		CreatedSince: { header: "CREATED", value: ({ image }) => humanAge(image.Created) },
		CreatedAt: { header: "CREATED AT", value: ({ image }) => localTime(image.Created) },
		Size: { header: "SIZE", value: ({ image }) => humanSize(image.Size) },
		Containers: {
			header: "CONTAINERS",
			value: ({ image }) => (image.Containers < 0 ? "N/A" : String(image.Containers)),
		},
		VirtualSize: { header: "SIZE", value: ({ image }) => preciseSize(image.Size) },
		SharedSize: {
			header: "SHARED SIZE",
			value: ({ image }) => (image.SharedSize < 0 ? "N/A" : humanSize(image.SharedSize)),
		},
		UniqueSize: {
			header: "UNIQUE SIZE",
			value: ({ image }) => (image.SharedSize < 0 ? "N/A" : humanSize(image.Size - image.SharedSize)),
		},
	};
}

/** The lines of an image: one for each tag (and digest, when they are shown), or one without a name. */
export function imageRows(image: ImageSummary, hasDigests: boolean): ImageRow[] {
	const tags = (image.RepoTags ?? []).filter((name) => name !== "<none>:<none>");
	const digests = (image.RepoDigests ?? []).filter((name) => name !== "<none>@<none>");
	const rows: ImageRow[] = [];
	const taggedRepositories = new Set<string>();
	for (const name of tags) {
		const colon = name.lastIndexOf(":");
		const repository = name.slice(0, colon);
		taggedRepositories.add(repository);
		const own = hasDigests ? digests.filter((digest) => digest.startsWith(`${repository}@`)) : [];
		const row = { image, repository, tag: name.slice(colon + 1) };
		if (own.length === 0) rows.push({ ...row, digest: NONE });
		for (const digest of own) rows.push({ ...row, digest: digest.slice(repository.length + 1) });
	}
	const shown = new Set<string>();
	for (const name of digests) {
		const at = name.indexOf("@");
		const repository = name.slice(0, at);
		if (taggedRepositories.has(repository) || (!hasDigests && shown.has(repository))) continue;
		shown.add(repository);
		rows.push({ image, repository, tag: NONE, digest: hasDigests ? name.slice(at + 1) : "" });
	}
	return rows.length > 0 ? rows : [{ image, repository: NONE, tag: NONE, digest: NONE }];
}
