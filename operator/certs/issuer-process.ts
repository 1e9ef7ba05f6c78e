// Makes what issuer.ts asks for, once.
import type { Outcome } from './issuer.ts';
import { renew } from './renew.ts';

process.once('message', async (args: Parameters<typeof renew>) => {
  const outcome = await renew(...args).then(
    (made): Outcome => ({ made }),
    (error: Error): Outcome => ({ error }),
  );
  process.send?.(outcome, () => process.disconnect?.());
});
