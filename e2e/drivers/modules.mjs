// Preloaded by the harness (`node --import`): lets the drivers import packages from where they are installed,
// $HOSTLER_E2E_NODE/node_modules, which is not above this directory.
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const home = process.env.HOSTLER_E2E_NODE;
if (!home) throw new Error('HOSTLER_E2E_NODE must name the directory that holds node_modules');
const installed = pathToFileURL(join(home, 'driver.mjs')).href;
const drivers = new URL('.', import.meta.url).href;
const bare = /^[@a-z]/i;

registerHooks({
  resolve(specifier, context, next) {
    const ours = bare.test(specifier) && !specifier.includes(':') && context.parentURL?.startsWith(drivers);
    return next(specifier, ours ? { ...context, parentURL: installed } : context);
  },
});
