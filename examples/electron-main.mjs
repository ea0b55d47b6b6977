// The main process of an Electron application that segments images for its windows.
//
// Unpack both packages from the asar archive (electron-builder: asarUnpack):
//   "**/node_modules/{cellroute,@cellroute}/**"
//
// In the preload script:
//   contextBridge.exposeInMainWorld('cells', { segment: (path) => ipcRenderer.invoke('segment', path) });
import { readFile } from 'node:fs/promises';
import { CellrouteError, RoutedEnsemble } from 'cellroute';
import { app, BrowserWindow, dialog, ipcMain } from 'electron';

/** @type {Promise<RoutedEnsemble> | undefined} */
let loading;

ipcMain.handle('segment', async (_event, /** @type {string} */ path) => {
  // Loaded with the first image, so that the window appears at once.
  loading ??= RoutedEnsemble.load();
  try {
    const ensemble = await loading;
    const { cellType, width, height, cells } = await ensemble.segment(await readFile(path));
    return { cellType, width, height, cells: cells.toJSON() };
  } catch (error) {
    if (!(error instanceof CellrouteError)) throw error;
    dialog.showErrorBox('Segmentation failed', `${error.message} [${error.code}]`);
    return null;
  }
});

app.on('will-quit', async () => {
  await (await loading)?.dispose();
});

await app.whenReady();
const window = new BrowserWindow({ width: 1200, height: 800 });
await window.loadFile('index.html');
