export * from './role-manager.js';
