//! The upload form of a listing page, and its script.
//!
//! Without JavaScript, the form is sent to the directory, whose listing then shows the new files. With it, the page
//! remains open: it shows progress and errors, can cancel, accepts dropped files, and reloads the rows afterwards.

/// The form.
pub(super) const FORM: &str = "<form method=\"post\" enctype=\"multipart/form-data\">\
    <input type=\"file\" name=\"file\" multiple required aria-label=\"Files to upload\"> \
    <button>Upload</button></form>\n";

/// The script, which follows the form. The content security policy has its hash.
pub(super) const SCRIPT: &str = "<script>{\
    const d=document,f=d.currentScript.previousElementSibling,[i,b]=f.elements,\
    [p,c,o]=['progress','button','output'].map(n=>d.createElement(n)),\
    size=n=>{const u=n<1024?0:Math.min(4,Math.log2(n)/10|0);\
    return(n/1024**u).toFixed(u&&1)+' '+['B','KiB','MiB','GiB','TiB'][u]},\
    show=()=>fetch('',{cache:'no-cache'}).then(r=>r.text()).then(h=>{\
    const t=new DOMParser().parseFromString(h,'text/html').querySelector('table');\
    if(!t)return location.reload();\
    d.querySelector('table').replaceWith(t);\
    d.querySelector('[type=search]')?.oninput()});\
    p.ariaLabel='Upload';\
    c.type='button';\
    c.textContent='Cancel';\
    o.ariaLive='polite';\
    f.append(o);\
    f.onsubmit=e=>{\
    e.preventDefault();\
    let t=0;\
    const x=new XMLHttpRequest,\
    busy=y=>{i.hidden=b.hidden=y;y?o.before(p,c):(p.remove(),c.remove());(y?c:b).focus();onbeforeunload=y?e=>e.preventDefault():null},\
    end=w=>{busy(false);o.value=w;show()};\
    x.open(f.method,'./');\
    x.responseType='document';\
    x.upload.onprogress=e=>{\
    p.max=e.total;\
    p.value=e.loaded;\
    if(Date.now()-t>1e3||e.loaded==e.total){\
    t=Date.now();\
    o.value=`${size(e.loaded)} of ${size(e.total)} sent, ${e.loaded/e.total*100|0} %`}};\
    x.onload=()=>x.status<400?(f.reset(),end('Stored')):\
    end(`Not stored: ${x.status} ${/^Message: (.+)/.exec(x.response?.querySelector('p+p')?.textContent)?.[1]||x.statusText}`);\
    x.onerror=()=>end('The connection was lost');\
    x.onabort=()=>end('Cancelled');\
    c.onclick=()=>x.abort();\
    p.removeAttribute('value');\
    x.send(new FormData(f));\
    busy(true)};\
    ondragover=e=>e.dataTransfer.types.includes('Files')&&e.preventDefault();\
    ondrop=e=>{\
    if(e.dataTransfer.files[0]){\
    e.preventDefault();\
    if(!i.hidden){i.files=e.dataTransfer.files;f.requestSubmit()}}}\
    }</script>\n";
