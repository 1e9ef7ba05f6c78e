// The agent's container in a pod. A template may have one of its own, by this name: the webhook fills in the rest.

/** `image`: leaves the choice of one to the webhook. */
export const agentContainer = { name: 'jvs-agent', image: 'jvs-agent' };

export const isAgent = ({ name }: { name: string }): boolean => name === agentContainer.name;
