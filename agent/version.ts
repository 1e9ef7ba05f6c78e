import manifest from '../package.json' with { type: 'json' };

/** Of this agent, as told to the operator and to users. */
export const version: string = manifest.version;
