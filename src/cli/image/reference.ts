import { InvalidParameterError } from "../../base/errors.ts";

/** An image's name, taken apart just far enough to send it. The daemon knows the full grammar. */
export interface ImageName {
	repository: string;
	/** A tag or a digest; empty when neither was given. */
	tag: string;
}

/** @throws InvalidParameterError for what can't be a name at all */
export function splitImageName(text: string): ImageName {
	const digest = text.indexOf("@");
	if (digest >= 0)
		return { repository: text.slice(0, digest).replace(/:[\w][\w.-]*$/, ""), tag: text.slice(digest + 1) };
	const colon = text.lastIndexOf(":");
	const isTag = colon > text.lastIndexOf("/");
	const repository = isTag ? text.slice(0, colon) : text;
	if (repository === "" || /\s/.test(text)) throw new InvalidParameterError("invalid reference format");
	const path = repository.includes("/") ? repository.slice(repository.indexOf("/") + 1) : `library/${repository}`;
	if (/[A-Z]/.test(path))
		throw new InvalidParameterError(`invalid reference format: repository name (${path}) must be lowercase`);
	return { repository, tag: isTag ? text.slice(colon + 1) : "" };
}
