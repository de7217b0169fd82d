{
const d=document,root=d.documentElement,{max,overwrite,resumable,delete:erasable}=d.currentScript.dataset,
head=d.querySelector('header'),form=head.querySelector('form'),
// Creates an element with these properties and children.
make=(name,its,...children)=>{
    const e=Object.assign(d.createElement(name),its);
    e.append(...children.filter(child=>child));
    return e
},
button=(text,onclick,its)=>make('button',{type:'button',onclick,...its},text),
toTarget=path=>'./'+path.split('/').map(encodeURIComponent).join('/'),

// Sends a request. Returns the status, the reason if it is refused, and the reply. `job` can abort it, and shows its
// progress.
send=(method,to,fields,content,job={})=>new Promise(done=>{
    const x=job.request=new XMLHttpRequest;
    x.open(method,to);
    x.responseType='document';
    for(const name in fields)x.setRequestHeader(name,fields[name]);
    x.upload.onprogress=e=>job.sent?.(e.loaded);
    x.onloadend=()=>{
        const s=x.status;
        done([s,s?s<400?'':/^\d{3} (.+)/.exec(x.response?.querySelector('h1')?.textContent)?.[1]||s+' '+x.statusText:
            job.off?'Cancelled':'The connection was lost',x])
    };
    x.send(content)
}),

// Asks a question in a dialog. Returns the chosen answer, the text, and whether the box is checked.
ask=(question,answers,value,box)=>new Promise(done=>{
    const text=value!=null&&make('input',{value,ariaLabel:'Name',autocomplete:'off'}),
    check=box&&make('input',{type:'checkbox'}),
    dialog=make('dialog',{ariaLabel:question,onclose(){
        dialog.remove();
        done([dialog.returnValue,text.value,check?.checked])
    }},make('form',{method:'dialog'},make('p',{},question),text,check&&make('label',{},check,box),
        ...answers.map((value,i)=>make('button',{value,autofocus:!text&&i},value))));
    d.body.append(dialog);
    dialog.showModal();
    text&&text.select()
}),

// Reads the names in the table.
read=()=>{
    names=new Set([...d.querySelectorAll('tbody bdi')].map(e=>e.textContent));
    if(erasable!=null)for(const group of d.querySelectorAll('tbody'))near.observe(group)
},
// Adds the buttons to delete what is no link, when a group of rows comes near.
near=new IntersectionObserver(all=>{
    for(const{target,isIntersecting}of all)if(isIntersecting){
        near.unobserve(target);
        for(const e of target.querySelectorAll('bdi'))if(e.nextSibling?.data!='@'){
            const a=e.parentNode,row=a.closest('tr');
            row.insertCell().append(button('',()=>erase(row,a),{ariaLabel:'Delete '+e.textContent,title:'Delete'}))
        }
    }
},{rootMargin:'100%'}),
// Replaces the table by the current one. If the directory has another page now, that page is shown.
renew=()=>fetch('',{cache:'no-cache'}).then(r=>r.text()).then(t=>{
    t=new DOMParser().parseFromString(t,'text/html').querySelector('table');
    if(!t)return location.reload();
    d.querySelector('table').replaceWith(t);
    d.querySelector('[type=search]')?.oninput();
    read()
},()=>0),

erase=async(row,a)=>{
    const name=a.textContent,time=row.querySelector('time'),i=row.rowIndex;
    if((await ask(`Delete ${name}?`,['Delete','Cancel']))[0]!='Delete')return;
    // RFC 9110 section 13.1.4: a file that has changed since it was listed is kept.
    const[status,reason]=await send('DELETE',a.href.split('?')[0],
        time&&!name.endsWith('/')?{'If-Unmodified-Since':new Date(time.dateTime).toUTCString()}:{});
    if(reason)await ask(`Not deleted: ${status==412?'the file has changed':reason}`,['Close']);
    await renew();
    const{rows}=d.querySelector('table');
    (rows[i]||rows[i-1]).querySelector('a,button').focus()
},
newFolder=async(question,value)=>{
    const[answer,name]=await ask(question,['Create','Cancel'],value);
    if(answer!='Create'||!name)return;
    const[status,reason]=await send('PUT',toTarget(name)+'/');
    return reason?newFolder('Not created: '+(status==405?'the folder exists':reason),name):renew()
},

// The jobs of the panel. Each has the path of a file or new directory, its row, and once it has ended the reason why
// the file was not stored, or an empty one.
jobs=new Set,queue=[],list=make('ul',{ariaLabel:'Files',tabIndex:0}),total=make('output',{ariaLive:'polite'}),
end=button('Cancel all',()=>{
    if(busy)return[...jobs].forEach(cancel);
    jobs.clear();
    list.replaceChildren();
    panel.remove();
    form.elements[1].focus()
}),
panel=make('section',{ariaLabel:'Uploads'},make('p',{},total,end),list),

// Returns whether a file is there already, as far as the listing does not tell.
exists=async path=>names.has(path)||path.includes('/')&&names.has(path.split('/')[0])&&
    (await fetch(toTarget(path),{method:'HEAD',cache:'no-store'})).ok,
// Decides, one file at a time, what happens to a file whose name exists. Returns false if it is skipped.
settle=job=>turn=turn.then(async()=>{
    const[,stem,extension]=/^(.+?)((?:\.[^./]+)?)$/s.exec(job.name);
    let name;
    do name=`${stem} (${job.count=(job.count||1)+1})${extension}`;
    while(names.has(name));
    const[answer,text,all]=same?[same,name]:
        await ask(`${job.path} exists already`,['Rename',...overwrite!=null?['Overwrite']:[],'Skip'],name,
            queue.length>0&&' Do the same with all');
    if(all)same=answer;
    job.over=answer=='Overwrite';
    if(answer=='Rename'&&text)job.path=text;
    return job.over||answer=='Rename'
}),
// Sends a large file as an upload that can be resumed (draft-ietf-httpbis-resumable-upload): when the connection is lost,
// it continues with what the server has not stored.
sendParts=async(to,fields,job)=>{
    const{file}=job,go=(method,fields,content)=>send(method,job.upload||to,fields,content,job);
    for(let wait=1e3;;wait*=2){
        let[status,reason,x]=await(job.upload?go('HEAD'):
            go('PUT',{...fields,'Upload-Complete':'?0','Upload-Length':file.size},''));
        // The server keeps no such uploads, or has too many.
        if(!job.upload&&(status==501||status==503))return go('PUT',fields,file);
        if(!reason&&!job.off){
            job.upload||=new URL(x.getResponseHeader('Location'),x.responseURL);
            if(x.getResponseHeader('Upload-Complete')=='?1')return[status];
            const at=+x.getResponseHeader('Upload-Offset');
            if(at>job.at)wait=1e3;
            job.at=at;
            [status,reason,x]=await go('PATCH',{'Content-Type':'application/partial-upload','Upload-Offset':at,
                'Upload-Complete':'?1'},file.slice(at))
        }else if(job.upload&&status==404){
            job.upload=job.at=0;
            continue
        }
        if(job.off){
            if(job.upload)send('DELETE',job.upload);
            job.upload=job.at=0
        }
        // Another attempt follows if the connection was lost, if the offset was wrong, or if the upload is complete: then
        // the reply to its end was lost.
        const again=!status||status==502||status==504||status==409&&
            (x.getResponseHeader('Upload-Offset')||x.getResponseHeader('Upload-Complete')=='?1');
        if(job.off||!again||wait>4e4)return[status,reason];
        job.note.textContent='Waiting for the connection';
        await new Promise(done=>setTimeout(job.wake=done,wait))
    }
},
// Sends a file, or creates a directory. Returns the reason if it is not stored.
store=async job=>{
    const{file}=job;
    for(;;){
        let status=412,reason;
        const fields=!file||job.over?{}:{'If-None-Match':'*'};
        if(!file||job.over||!await exists(job.path)){
            if(job.off)return'Cancelled';
            const to=toTarget(job.path);
            [status,reason]=await(resumable!=null&&file?.size>2**24?sendParts(to,fields,job):send('PUT',to,fields,file,job))
        }
        if(!file&&status==405)return'';
        if(status==405)return'A folder has this name';
        if(status!=412||job.over)return reason;
        if(!await settle(job))return'Skipped, the name exists'
    }
},
// Three at a time.
next=()=>{
    while(busy<3&&queue.length)begin(queue.shift());
    if(!busy&&!walking){
        same='';
        onbeforeunload=null;
        end.textContent='Close';
        if(stored)renew();
        stored=0;
        for(const job of jobs)if(job.reason){
            reveal(job);
            break
        }
    }
    const ended=[...jobs].filter(job=>job.ended),failed=ended.filter(job=>job.reason).length;
    total.value=`${ended.length-failed} of ${jobs.size} stored`+(failed?`, ${failed} not stored`:'')
},
// Scrolls the list, and not the page.
reveal=({row})=>list.scrollTop=row.offsetTop-list.offsetTop-list.clientHeight/2,
begin=async job=>{
    busy++;
    reveal(job);
    finish(job,await store(job).catch(e=>e.message));
    busy--;
    next()
},
finish=(job,reason)=>{
    job.ended=1;
    job.reason=reason;
    if(!reason)names.add(job.path),stored=1;
    show(job,reason||'Stored',reason&&!job.large&&'Retry')
},
// Shows the state of a job and what can be done.
show=(job,note,key)=>{
    job.note.textContent=note;
    job.row.className=job.reason?'failed':'';
    job.bar.hidden=job.ended;
    job.key.hidden=!key;
    job.key.textContent=key;
    job.key.ariaLabel=`${key} ${job.name}`
},
cancel=job=>{
    if(job.ended)return;
    job.off=1;
    const i=queue.indexOf(job);
    if(i<0)return job.request?.abort(),job.wake?.();
    queue.splice(i,1);
    finish(job,'Cancelled')
},
enqueue=job=>{
    job.off=job.ended=job.reason=0;
    show(job,'Waiting','Cancel');
    queue.push(job);
    end.textContent='Cancel all';
    onbeforeunload=e=>e.preventDefault()
},
// Begins a batch: the files that were stored before are no longer shown.
clear=()=>{
    if(!busy)for(const job of jobs)if(!job.reason)jobs.delete(job),job.row.remove()
},
// Adds a file or an empty directory, whose path ends with a slash. `reason` is why it cannot be sent.
add=(path,file,reason)=>{
    if(!panel.isConnected)head.after(panel);
    const job={path,name:path,file,bar:make('progress',{value:0,ariaLabel:path}),note:make('span'),
        sent(loaded){
            const part=((this.at||0)+loaded)/(file?.size||1);
            this.bar.value=part;
            this.note.textContent=part<1?Math.floor(part*100)+' %':'Storing'
        }};
    job.key=button('',()=>{
        job.ended?enqueue(job):cancel(job);
        next()
    });
    jobs.add(job);
    list.append(job.row=make('li',{},make('div',{},make('bdi',{},path)),job.bar,job.note,job.key));
    job.large=file?.size>max;
    reason||=job.large&&'Too large. '+form.title;
    reason?finish(job,reason):enqueue(job);
    next()
},
// Adds a dropped file or directory with all that is in it.
walk=async(entry,above)=>{
    const path=above+entry.name;
    try{
        if(entry.isFile)return add(path,await new Promise((done,fail)=>entry.file(done,fail)));
        const reader=entry.createReader();
        let some,all;
        while((all=await new Promise((done,fail)=>reader.readEntries(done,fail))).length)
            for(const one of all)some=await walk(one,path+'/')||1;
        some||add(path+'/')
    }catch(e){
        add(path,null,`It cannot be read: ${e.message}`)
    }
};
let names,busy=0,walking=0,stored=0,same='',turn=Promise.resolve();
d.addEventListener('DOMContentLoaded',read);
if(erasable!=null)root.dataset.delete='';
if(form){
    const[input,choose]=form.elements,
    pick=folder=>()=>{
        input.webkitdirectory=folder;
        input.click()
    };
    input.hidden=true;
    input.required=false;
    input.onchange=()=>{
        clear();
        for(const file of[...input.files])add(file.webkitRelativePath||file.name,file);
        input.value=''
    };
    choose.type='button';
    choose.onclick=pick(false);
    form.append(button('Upload folder',pick(true)),button('New folder',()=>newFolder('Name of the new folder','')));
    ondragover=e=>{
        if(e.dataTransfer.types.includes('Files')){
            e.preventDefault();
            root.dataset.drop=''
        }
    };
    ondragleave=e=>e.relatedTarget||delete root.dataset.drop;
    ondrop=async e=>{
        delete root.dataset.drop;
        if(!e.dataTransfer.types.includes('Files'))return;
        e.preventDefault();
        clear();
        walking++;
        for(const entry of[...e.dataTransfer.items].map(item=>item.webkitGetAsEntry()))if(entry)await walk(entry,'');
        walking--;
        next()
    }
}
}
