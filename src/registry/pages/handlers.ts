import { registryError } from "../../core/registry/registry-error.ts";
export function repositoriesPage(): Response {
	throw registryError("UNSUPPORTED");
}
export const repositoryPage = repositoriesPage;
export const tagPage = repositoriesPage;
