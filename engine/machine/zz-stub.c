#include "vit-monitor.h"
VitMonitors *vit_monitors_new(const VitMonitorHostOps *ops, void *opaque, VitPlatform *platform){return (void*)1;}
void vit_monitors_free(VitMonitors *m){}
bool vit_monitors_add(VitMonitors *m, VitChardev *chr, VitMonitorMode mode, GError **error){return true;}
void vit_monitors_emit(VitMonitors *m, const char *e, const char *j){}
char *vit_monitors_run_hmp(VitMonitors *m, const char *l){return g_strdup("");}
