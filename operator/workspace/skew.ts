// Agents stay as they are when the operator is upgraded, for no pod is restarted. Pure.
import { version } from '../../shared/version.ts';

/** Minor versions between agent and operator that are tested to work together. */
const supported = 2;

/** What is to be said of an agent older than the operator; undefined when it is not, or its version is none. */
export function outdated(agent: string, operator: string = version): string | undefined {
  const [theirs, ours] = [parse(agent), parse(operator)];
  if (!theirs || !ours) return undefined;
  const majors = ours.major - theirs.major;
  const minors = ours.minor - theirs.minor;
  if (majors < 0 || (majors === 0 && minors <= 0)) return undefined;
  const works =
    majors === 0 && minors <= supported
      ? 'It works; restart the pod when it suits you'
      : 'That is too far apart to be sure that it works: restart the pod soon';
  return `it is of version ${agent} and the operator of ${operator}. ${works}, and it gets the new one`;
}

function parse(text: string): { major: number; minor: number } | undefined {
  const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(text) ?? [];
  return major && minor ? { major: Number(major), minor: Number(minor) } : undefined;
}
